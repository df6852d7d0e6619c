// Package removal takes directories away without ever leaving them: through no symbolic link, and into nothing that is mounted.
// What Pods have mounted beneath the kubelet's directories is often a host's own data.
package removal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrMounted is why something stays: something is mounted there.
var ErrMounted = errors.New("something is mounted there")

// Tree removes what is at path and all beneath it. Symbolic links on the way to path are followed, one at path or beneath it is itself
// removed. What is mounted stays, with the directories that lead there; all else is removed, and the error names the first that was
// not. Idempotent.
func Tree(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if path == "/" {
		return errors.New("removing /: refused")
	}
	parent, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	return (&remover{enter: enterBeneath}).remove(parent, filepath.Base(path), path, 0)
}

// Contents removes all beneath a directory as Tree does. The directory itself may be a symbolic link, or mounted; it stays. Idempotent.
func Contents(dir string) error {
	top, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer top.Close()
	return (&remover{enter: enterBeneath, top: top}).empty(top, dir, 0)
}

// maxDepth is how many directories are open at once: whoever makes deeper ones must not use up the process's files. What is deeper
// is moved up first.
const maxDepth = 64

type remover struct {
	enter func(parent *os.File, name string) (*os.File, error)
	top   *os.File // where what is too deep is moved
	moved int
}

func (r *remover) remove(parent *os.File, name, path string, depth int) error {
	err := unlink(parent, name, 0)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	dir, enterErr := r.enter(parent, name)
	switch {
	case errors.Is(enterErr, unix.ENOENT):
		return nil
	case errors.Is(enterErr, unix.ENOTDIR) || errors.Is(enterErr, unix.ELOOP):
		return fmt.Errorf("removing %s: %w", path, err) // no directory: that it may not be removed has other reasons
	case enterErr != nil:
		return fmt.Errorf("removing %s: %w", path, enterErr)
	}
	defer dir.Close()
	if r.top == nil {
		r.top = dir
	}
	if depth > maxDepth && r.moveUp(parent, name) {
		return nil
	}
	if err := r.empty(dir, path, depth); err != nil {
		return err
	}
	if err := unlink(parent, name, unix.AT_REMOVEDIR); err != nil {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// empty removes all in a directory. It looks again until it finds nothing to remove: what is read while entries go may lack some.
func (r *remover) empty(dir *os.File, path string, depth int) error {
	for {
		var failed error
		removed := 0
		for {
			names, err := dir.Readdirnames(256)
			for _, name := range names {
				if err := r.remove(dir, name, filepath.Join(path, name), depth+1); err != nil {
					failed = cmp.Or(failed, err)
					continue
				}
				removed++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		if removed == 0 {
			return failed
		}
		if _, err := dir.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

// moveUp makes a directory one of the top's, which are gone through again as long as there are any.
func (r *remover) moveUp(parent *os.File, name string) bool {
	for range 1000 {
		r.moved++
		err := unix.Renameat2(int(parent.Fd()), name, int(r.top.Fd()), ".deep-"+strconv.Itoa(r.moved), unix.RENAME_NOREPLACE)
		if !errors.Is(err, unix.EEXIST) {
			return err == nil
		}
	}
	return false
}

// unlink removes a name; one that is not there is removed already. EBUSY is the kernel's word for what is a mount point.
func unlink(parent *os.File, name string, flags int) error {
	for {
		err := unix.Unlinkat(int(parent.Fd()), name, flags)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOENT):
			return nil
		case errors.Is(err, unix.EBUSY):
			return ErrMounted
		}
		return err
	}
}
