package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	before, err := Of(t.Context(), dir)
	if err != nil || before.Inodes != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a/b/c")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	after, err := Of(t.Context(), dir)
	if more := after.Bytes - before.Bytes; err != nil || more < 1<<20 || more >= 2<<20 || after.Inodes != 4 {
		t.Errorf("%+v and %+v before, %v, want a megabyte more in two directories and a file", after, before, err)
	}
	if one, err := Of(t.Context(), file); err != nil || one.Inodes != 1 || one.Bytes < 1<<20 {
		t.Errorf("the file: %+v, %v", one, err)
	}
}

func TestWhatIsNotThereIsNotMeasured(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Of(t.Context(), none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := SpaceOf(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestMeasuringEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Of(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSpace(t *testing.T) {
	space, err := SpaceOf(t.TempDir())
	if err != nil || space.Bytes == 0 || space.Available > space.Bytes-space.Used || space.InodesUsed != space.Inodes-space.InodesFree {
		t.Errorf("%+v, %v", space, err)
	}
}

// A path may have 4096 bytes: what is deeper has names all the same.
func TestNothingIsTooDeepToBeCounted(t *testing.T) {
	dir := t.TempDir()
	at, err := open(unix.AT_FDCWD, dir)
	if err != nil {
		t.Fatal(err)
	}
	const deep = 50
	for range deep {
		name := strings.Repeat("d", 200)
		if err := unix.Mkdirat(int(at.Fd()), name, 0o700); err != nil {
			t.Fatal(err)
		}
		next, err := open(int(at.Fd()), name)
		if err != nil {
			t.Fatal(err)
		}
		at.Close()
		at = next
	}
	defer at.Close()
	fd, err := unix.Openat(int(at.Fd()), "file", unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "file")
	defer file.Close()
	if _, err := file.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if used, err := Of(t.Context(), dir); err != nil || used.Inodes != deep+2 || used.Bytes < 1<<20 {
		t.Errorf("%+v, %v", used, err)
	}
}

func TestWhatIsMountedBelowIsNotCounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, other := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "file"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	mounted := filepath.Join(dir, "mounted")
	if err := os.Mkdir(mounted, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(other, mounted, "", unix.MS_BIND, ""); err != nil {
		t.Skip("cannot mount: ", err)
	}
	defer func() { _ = unix.Unmount(mounted, unix.MNT_DETACH) }()
	if used, err := Of(t.Context(), dir); err != nil || used.Inodes > 2 || used.Bytes >= 1<<20 {
		t.Errorf("%+v, %v", used, err)
	}
}
