package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Of measures a directory, or a file, as it is now: a walk over all that is in it, however deep, as who makes deep trees must not hide what
// is in them. A file with several names counts once, what is mounted below does not. What goes away meanwhile is no error; a dir that is
// not there is fs.ErrNotExist. With an error, as when ctx ends, it returns what it counted until then.
func Of(ctx context.Context, dir string) (Usage, error) {
	w := walk{used: Usage{At: time.Now()}, counted: map[uint64]bool{}}
	var top unix.Statx_t
	if err := statx(unix.AT_FDCWD, dir, &top); err != nil {
		return w.used, &fs.PathError{Op: "statx", Path: dir, Err: err}
	}
	w.mount = mountOf(&top)
	w.count(&top)
	if top.Mode&unix.S_IFMT != unix.S_IFDIR {
		return w.used, ctx.Err()
	}
	at, err := open(unix.AT_FDCWD, dir)
	if err != nil {
		return w.used, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	if err := w.all(ctx, at); err != nil {
		return w.used, fmt.Errorf("measuring %s: %w", dir, err)
	}
	return w.used, nil
}

// mount is a file system as it is mounted in one place.
type mount struct {
	major, minor uint32
	id           uint64 // 0 before Linux 5.8
}

func mountOf(st *unix.Statx_t) mount {
	m := mount{major: st.Dev_major, minor: st.Dev_minor}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		m.id = st.Mnt_id
	}
	return m
}

type walk struct {
	used    Usage
	mount   mount
	counted map[uint64]bool // inodes with several names
	levels  []level
}

// level is a directory on the way to where the walk is.
type level struct {
	inode   uint64
	entries []string // directories in it that are still to be entered
}

// all counts what is in a directory, which it closes. One directory is open at a time, and named by its parent: no path is too long.
func (w *walk) all(ctx context.Context, at *os.File) error {
	defer func() { at.Close() }()
	if err := w.enter(ctx, at); err != nil {
		return err
	}
	for {
		last := &w.levels[len(w.levels)-1]
		var next string
		if n := len(last.entries); n > 0 {
			next, last.entries = last.entries[n-1], last.entries[:n-1]
		} else if w.levels = w.levels[:len(w.levels)-1]; len(w.levels) == 0 {
			return nil
		} else {
			next = ".."
		}
		to, err := open(int(at.Fd()), next)
		if gone(err) && next != ".." {
			continue
		}
		if err != nil {
			return err
		}
		at.Close()
		at = to
		if next == ".." {
			err = w.back(at)
		} else {
			err = w.enter(ctx, at)
		}
		if err != nil {
			return err
		}
	}
}

// enter counts what is directly in a directory, and notes the directories among it.
func (w *walk) enter(ctx context.Context, at *os.File) error {
	var st unix.Statx_t
	if err := statx(int(at.Fd()), "", &st); err != nil {
		return err
	}
	l := level{inode: st.Ino}
	const many = 1000
	for mountOf(&st) == w.mount || len(w.levels) == 0 {
		names, err := at.Readdirnames(many)
		for _, name := range names {
			var of unix.Statx_t
			if statx(int(at.Fd()), name, &of) != nil || mountOf(&of) != w.mount {
				continue // it went away meanwhile, or is another file system
			}
			if w.count(&of); of.Mode&unix.S_IFMT == unix.S_IFDIR {
				l.entries = append(l.entries, name)
			}
		}
		if errors.Is(err, io.EOF) || gone(err) {
			break
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	w.levels = append(w.levels, l)
	return ctx.Err()
}

var errMoved = errors.New("a directory was moved meanwhile")

// back checks that the walk is where it came from.
func (w *walk) back(at *os.File) error {
	var st unix.Statx_t
	if err := statx(int(at.Fd()), "", &st); err != nil {
		return err
	}
	if st.Ino != w.levels[len(w.levels)-1].inode || mountOf(&st) != w.mount {
		return errMoved
	}
	return nil
}

func (w *walk) count(st *unix.Statx_t) {
	if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if w.counted[st.Ino] {
			return
		}
		w.counted[st.Ino] = true
	}
	w.used.Bytes += int64(st.Blocks) * 512
	w.used.Inodes++
}

// gone tells that a name is not there any more, or not a directory's.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

func statx(dir int, name string, st *unix.Statx_t) error {
	return retry(func() error {
		return unix.Statx(dir, name, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, st)
	})
}

func open(dir int, name string) (*os.File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
