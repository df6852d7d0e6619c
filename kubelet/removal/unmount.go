package removal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Unmount takes away what is mounted beneath a directory, the last mounted first; what is in use goes when it is no more. The directory
// itself may be a mount: it stays. Symbolic links on the way to it are followed. The error names the first that is left. Idempotent.
func Unmount(dir string) error {
	mounts, err := Mounts(dir)
	if err != nil || len(mounts) == 0 {
		return err
	}
	var failed []error
	for _, m := range slices.Backward(mounts) {
		err := unix.Unmount(m, unix.UMOUNT_NOFOLLOW)
		if err != nil {
			err = unix.Unmount(m, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // went with another
			failed = append(failed, fmt.Errorf("unmounting %s: %w", m, err))
		}
	}
	left, err := Mounts(dir)
	if err == nil && len(left) > 0 && len(failed) == 0 {
		err = fmt.Errorf("unmounting %s: it is still there", left[0])
	}
	return errors.Join(append(failed, err)...)
}

// Mounts lists what is mounted beneath a directory, in the order of mounting.
func Mounts(dir string) ([]string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, err
	}
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(real))
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	var points []string
	for _, m := range mounts {
		if m.Mountpoint != real {
			points = append(points, m.Mountpoint)
		}
	}
	return points, nil
}
