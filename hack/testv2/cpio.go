package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// archive is what the kernel unpacks as its first root file system: cpio in the "newc" format.
type archive struct {
	out   *bufio.Writer
	inode int
	made  map[string]bool
	err   error
}

func newArchive(w io.Writer) *archive {
	return &archive{out: bufio.NewWriterSize(w, 1<<20), made: map[string]bool{".": true}}
}

const (
	directory = 0o040000
	regular   = 0o100000
	symlink   = 0o120000
)

// dir makes a directory and those above it.
func (a *archive) dir(name string) {
	if a.made[name] {
		return
	}
	a.dir(path.Dir(name))
	a.made[name] = true
	a.entry(name, directory|0o755, nil)
}

// file makes a file with a content.
func (a *archive) file(name string, mode fs.FileMode, content []byte) {
	a.dir(path.Dir(name))
	a.entry(name, regular|int(mode.Perm()), content)
}

// link makes a symbolic link.
func (a *archive) link(name, target string) {
	a.dir(path.Dir(name))
	a.entry(name, symlink|0o777, []byte(target))
}

// copy makes a file like one of this machine.
func (a *archive) copy(name, from string) {
	info, err := os.Stat(from)
	if err != nil {
		a.fail(err)
		return
	}
	content, err := os.ReadFile(from)
	a.fail(err)
	a.file(name, info.Mode(), content)
}

// close ends the archive and returns the first error of all.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	a.fail(a.out.Flush())
	return a.err
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *archive) entry(name string, mode int, content []byte) {
	a.inode++
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	a.write([]byte(header + name + "\x00"))
	a.pad(len(header) + len(name) + 1)
	a.write(content)
	a.pad(len(content))
}

func (a *archive) pad(written int) { a.write(make([]byte, (4-written%4)%4)) }

func (a *archive) write(b []byte) {
	_, err := a.out.Write(b)
	a.fail(err)
}
