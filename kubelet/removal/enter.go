package removal

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const directory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// enterBeneath opens a directory in parent that belongs to the same mount. Device numbers would not tell: a bind mount may be of the
// same file system.
func enterBeneath(parent *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat2(int(parent.Fd()), name, &unix.OpenHow{
		Flags: directory, Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH,
	})
	switch {
	case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
		return enterBeneath(parent, name)
	case errors.Is(err, unix.EXDEV):
		return nil, ErrMounted
	case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM): // before Linux 5.6, or filtered
		return enterAndCompare(parent, name)
	case err != nil:
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// enterAndCompare is enterBeneath by means of older kernels.
func enterAndCompare(parent *os.File, name string) (*os.File, error) {
	above, err := mountOf(parent)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Openat(int(parent.Fd()), name, directory, 0)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd), name)
	own, err := mountOf(dir)
	if err == nil && own != above {
		err = ErrMounted
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// mountOf returns the number of the mount that a file was opened in.
func mountOf(f *os.File) (string, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(info)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(id), nil
		}
	}
	return "", errors.New("the kernel does not say which mount a file is in")
}
