// Package runtime carries the small programs that a node needs beside coracle: shim, runc, network plugin and pause.
//
// They are built by hack/runtime and are not in the repository. A build without them works; a node then says what to do.
package runtime

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// The folder holds a file of the repository too, so that the pattern matches in a clean clone.
//
//go:embed all:linux_amd64
var carried embed.FS

const folder = "linux_amd64"

// ErrNotBuilt says that this binary was built without the programs.
var ErrNotBuilt = errors.New("this coracle was built without the node's programs: run make, which builds them and coracle")

// Program is one of the carried programs.
type Program struct {
	// Name is the file name it is to have.
	Name string
	// SHA256 is the hexadecimal digest of the program, Size its length in bytes.
	SHA256 string
	Size   int64
}

// Programs lists what is carried, always in the same order. It fails with ErrNotBuilt where nothing is.
func Programs() ([]Program, error) {
	index, err := carried.ReadFile(path.Join(folder, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotBuilt
	}
	if err != nil {
		return nil, err
	}
	return parse(string(index))
}

// Packed returns a program's content, compressed with zstd. The caller must not change it.
func Packed(p Program) ([]byte, error) {
	content, err := carried.ReadFile(path.Join(folder, p.Name+".zst"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotBuilt
	}
	return content, err
}

// parse reads the index: a line for each program, of its name, digest and size.
func parse(index string) ([]Program, error) {
	var programs []Program
	for line := range strings.Lines(index) {
		var p Program
		if _, err := fmt.Sscanf(line, "%s %s %d\n", &p.Name, &p.SHA256, &p.Size); err != nil {
			return nil, fmt.Errorf("reading the index of carried programs: line %q: %w", line, err)
		}
		programs = append(programs, p)
	}
	return programs, nil
}
