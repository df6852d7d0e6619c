package host

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// writeFile replaces path in one step: a reader sees the old content or the new, also after a crash.
func writeFile(path string, content []byte, mode fs.FileMode, uid, gid int) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	for _, step := range []func() error{
		func() error { return temp.Chmod(mode) },
		func() error { return temp.Chown(uid, gid) },
		func() error { _, err := temp.Write(content); return err },
		temp.Sync,
		func() error { return os.Rename(temp.Name(), path) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return nil
}

// ownerIDs are those of an existing file.
func ownerIDs(info fs.FileInfo, uid, gid int) (int, int) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), int(s.Gid)
	}
	return uid, gid
}
