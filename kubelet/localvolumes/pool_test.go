package localvolumes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const name = "pvc-0a1b2c3d-0000-4000-8000-0123456789ab"

func TestVolumesAreMadeAndDeletedAfterADay(t *testing.T) {
	p, now := &Pool{Dir: filepath.Join(t.TempDir(), "storage")}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path, err := p.Make(name)
	if err != nil || path != filepath.Join(p.Dir, name) {
		t.Fatal(path, err)
	}
	data := filepath.Join(path, "data")
	if err := os.WriteFile(data, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Make(name); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := os.Stat(data); err != nil {
		t.Errorf("made again, it is empty: %v", err)
	}
	for where, mode := range map[string]os.FileMode{p.Dir: 0o700, path: 0o777} {
		if info, err := os.Stat(where); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %o", where, info.Mode(), err, mode)
		}
	}
	for range 2 {
		if err := p.Delete(name, now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume is still there: %v", err)
	}
	deleted := filepath.Join(p.Dir, trash, now.Format(stamp)+name, "data")
	next, err := p.Sweep(now.Add(kept - time.Second))
	if _, there := os.Stat(deleted); err != nil || there != nil || !next.Equal(now.Add(kept)) {
		t.Errorf("before a day has passed: %v, %v; next %v", err, there, next)
	}
	next, err = p.Sweep(now.Add(kept))
	if _, there := os.Stat(deleted); err != nil || !errors.Is(there, os.ErrNotExist) || !next.IsZero() {
		t.Errorf("after a day: %v, %v; next %v", err, there, next)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestHostileNamesAreRefused(t *testing.T) {
	p := &Pool{Dir: t.TempDir()}
	for _, name := range []string{"", "..", "../x", "pvc-", trash, marker, name + "/..", "/" + name, strings.ToUpper(name), name + "\n"} {
		if _, err := p.Make(name); !errors.Is(err, ErrName) {
			t.Errorf("making %q: %v", name, err)
		}
		if err := p.Delete(name, time.Now()); !errors.Is(err, ErrName) {
			t.Errorf("deleting %q: %v", name, err)
		}
	}
}

func TestNothingIsDeletedWithoutItsDisk(t *testing.T) {
	p := &Pool{Dir: t.TempDir()}
	if err := p.Delete(name, time.Now()); err == nil || !strings.Contains(err.Error(), "is its disk mounted?") {
		t.Errorf("what is not mounted counts as deleted: %v", err)
	}
}

func TestALinkInThePlaceOfAVolumeIsNoVolume(t *testing.T) {
	p, outside := &Pool{Dir: t.TempDir()}, t.TempDir()
	if err := os.Symlink(outside, filepath.Join(p.Dir, name)); err != nil {
		t.Fatal(err)
	}
	if path, err := p.Make(name); err == nil {
		t.Errorf("%s is a volume", path)
	}
}
