// Package disk measures what directories hold, and the file systems that they are on.
package disk

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a directory and all below it held, in bytes of the disk and in files and directories.
type Usage struct {
	Bytes, Inodes int64
	At            time.Time
}

// Plus is both together, of no particular time.
func (u Usage) Plus(other Usage) Usage {
	return Usage{Bytes: u.Bytes + other.Bytes, Inodes: u.Inodes + other.Inodes}
}

// Of measures a directory, or a file, as it is now: a walk over all that is in it. A file with several names counts once, other file
// systems that are mounted below do not. What goes away meanwhile is no error; a dir that is not there is fs.ErrNotExist.
// With an error, as when ctx ends, it returns what it counted until then.
func Of(ctx context.Context, dir string) (Usage, error) {
	used := Usage{At: time.Now()}
	var device uint64
	counted := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist) && path != dir:
			return nil
		case err != nil:
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // it went away meanwhile
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok:
			return nil
		case path == dir:
			device = st.Dev
		case st.Dev != device && d.IsDir():
			return fs.SkipDir
		case st.Dev != device || counted[st.Ino]:
			return nil
		}
		if st.Nlink > 1 && !d.IsDir() {
			counted[st.Ino] = true
		}
		used.Bytes += st.Blocks * 512
		used.Inodes++
		return nil
	})
	return used, err
}

// Space is what a file system has, and has left for those who are not root. Where the number of inodes is not fixed it is 0.
type Space struct {
	Bytes, Available, Used         int64
	Inodes, InodesFree, InodesUsed int64
	At                             time.Time
}

// SpaceOf measures the file system that a directory is on. That costs one call, however much is on it.
func SpaceOf(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, err
	}
	return Space{
		Bytes: int64(st.Blocks) * st.Bsize, Available: int64(st.Bavail) * st.Bsize, Used: int64(st.Blocks-st.Bfree) * st.Bsize,
		Inodes: int64(st.Files), InodesFree: int64(st.Ffree), InodesUsed: int64(st.Files - st.Ffree),
		At: time.Now(),
	}, nil
}
