// Package disk measures what directories hold, and the file systems that they are on.
package disk

import (
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
