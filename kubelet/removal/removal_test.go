package removal

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// inOwnMounts lets the test mount; what it mounts is seen by nobody else and ends with it.
func inOwnMounts(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skip("no mount namespace of its own:", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func bind(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) }) // most are gone by then
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestNothingThatIsMountedOrLinkedIsRemoved(t *testing.T) {
	for name, enter := range map[string]func(*os.File, string) (*os.File, error){"openat2": enterBeneath, "older kernels": enterAndCompare} {
		t.Run(name, func(t *testing.T) {
			inOwnMounts(t)
			host := t.TempDir()
			precious := write(t, filepath.Join(host, "dir", "precious"))
			dir := filepath.Join(t.TempDir(), "pod")
			write(t, filepath.Join(dir, "volumes", "v", "file"))
			bind(t, host, filepath.Join(dir, "subpaths", "deep", "0"))
			if err := os.Symlink(host, filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			parent, err := os.Open(filepath.Dir(dir))
			if err != nil {
				t.Fatal(err)
			}
			defer parent.Close()
			if err := (&remover{enter: enter}).remove(parent, "pod", dir, 0); !errors.Is(err, ErrMounted) {
				t.Errorf("removing above a mount: %v", err)
			}
			if !there(precious) || there(filepath.Join(dir, "volumes")) || there(filepath.Join(dir, "link")) {
				t.Error("removed are not exactly the things beside the mount")
			}
			if err := Unmount(dir); err != nil {
				t.Fatal(err)
			}
			if err := (&remover{enter: enter}).remove(parent, "pod", dir, 0); err != nil || there(dir) || !there(precious) {
				t.Errorf("after unmounting: %v", err)
			}
		})
	}
}

func TestMountsAreFoundBelowSymbolicLinks(t *testing.T) {
	inOwnMounts(t)
	host, disk, place := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "kubelet")
	precious := write(t, filepath.Join(host, "precious"))
	if err := os.Symlink(disk, place); err != nil {
		t.Fatal(err)
	}
	bind(t, host, filepath.Join(place, "pods", "uid", "0"))
	bind(t, host, filepath.Join(place, "pods", "uid", "0")) // one upon the other
	if err := Unmount(filepath.Join(place, "pods", "uid")); err != nil {
		t.Fatal(err)
	}
	if left, err := Mounts(place); err != nil || len(left) > 0 {
		t.Fatalf("left %v, %v", left, err)
	}
	if err := Tree(filepath.Join(place, "pods")); err != nil || there(filepath.Join(disk, "pods")) || !there(precious) {
		t.Errorf("removing through a link: %v", err)
	}
}

func TestContentsGoAndTheirMountStays(t *testing.T) {
	inOwnMounts(t)
	disk, dir := t.TempDir(), t.TempDir()
	bind(t, disk, dir)
	write(t, filepath.Join(dir, "a", "b"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := Contents(link); err != nil || there(filepath.Join(disk, "a")) {
		t.Errorf("contents: %v", err)
	}
	if err := Tree(dir); !errors.Is(err, ErrMounted) {
		t.Errorf("removing a mount: %v", err)
	}
}

func TestDeepTreesNeedFewFiles(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "x")
	if err := os.Mkdir(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Open(deep, directory, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2500 { // longer than any path may be
		if err := unix.Mkdirat(at, "d", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, "d", directory, 0)
		unix.Close(at)
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	unix.Close(at)
	most := 0
	parent, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	counting := func(parent *os.File, name string) (*os.File, error) {
		most = max(most, int(parent.Fd()))
		return enterBeneath(parent, name)
	}
	if err := (&remover{enter: counting}).remove(parent, "x", deep, 0); err != nil || there(deep) {
		t.Errorf("removing: %v", err)
	}
	if most > 4*maxDepth {
		t.Errorf("%d files were open", most)
	}
}

func TestManyFilesGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "many")
	for i := range 3000 {
		write(t, filepath.Join(dir, string(rune('a'+i%7)), "file-"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))))
	}
	if err := Tree(dir); err != nil || there(dir) {
		t.Errorf("removing: %v", err)
	}
	if err := Tree(dir); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
}
