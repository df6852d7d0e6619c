package localvolumes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const name = "pvc-0a1b2c3d-0000-4000-8000-0123456789ab"

func poolIn(dir string) *Pool {
	return &Pool{Dir: filepath.Join(dir, "storage"), Known: filepath.Join(dir, "known.json")}
}

func named(name string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func TestVolumesAreMadeAndDeletedAfterADay(t *testing.T) {
	p, now := poolIn(t.TempDir()), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path, err := p.Make(named(name))
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
	if _, err := p.Make(named(name)); err != nil {
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
	p := poolIn(t.TempDir())
	for _, name := range []string{"", "..", "../x", "pvc-", trash, marker, name + "/..", "/" + name, strings.ToUpper(name), name + "\n"} {
		if _, err := p.Make(named(name)); !errors.Is(err, ErrName) {
			t.Errorf("making %q: %v", name, err)
		}
		if err := p.Delete(name, time.Now()); !errors.Is(err, ErrName) {
			t.Errorf("deleting %q: %v", name, err)
		}
	}
}

func TestNothingIsDeletedWithoutItsDisk(t *testing.T) {
	p := poolIn(t.TempDir())
	if err := p.Delete(name, time.Now()); err == nil || !strings.Contains(err.Error(), "is its disk mounted?") {
		t.Errorf("what is not mounted counts as deleted: %v", err)
	}
}

func TestALinkInThePlaceOfAVolumeIsNoVolume(t *testing.T) {
	p, outside := poolIn(t.TempDir()), t.TempDir()
	if err := errors.Join(os.Mkdir(p.Dir, 0o700), os.Symlink(outside, filepath.Join(p.Dir, name))); err != nil {
		t.Fatal(err)
	}
	if path, err := p.Make(named(name)); err == nil {
		t.Errorf("%s is a volume", path)
	}
}

// TestAMissingDiskIsMissed: nothing is made in the place where another disk, or none, is mounted.
func TestAMissingDiskIsMissed(t *testing.T) {
	dir := t.TempDir()
	p := poolIn(dir)
	if _, err := p.Make(named(name)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(p.Dir, p.Dir+".away"), os.Mkdir(p.Dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	refused := func(want string) {
		t.Helper()
		_, making := p.Make(named(strings.Replace(name, "0a", "0b", 1)))
		_, room := p.Room()
		for what, err := range map[string]error{"making": making, "deleting": p.Delete(name, time.Now()), "room": room} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", what, err, want)
			}
		}
	}
	refused("is its disk mounted?")
	if entries, err := os.ReadDir(p.Dir); err != nil || len(entries) > 0 {
		t.Errorf("in the place of the disk there are %v, %v", entries, err)
	}
	other := &Pool{Dir: p.Dir, Known: filepath.Join(dir, "other.json")}
	if _, err := other.Make(named(name)); err != nil {
		t.Fatal(err)
	}
	refused("is another disk")
	if err := errors.Join(os.RemoveAll(p.Dir), os.Rename(p.Dir+".away", p.Dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Make(named(name)); err != nil {
		t.Errorf("with its disk: %v", err)
	}
}

func TestMoreThanThereIsIsNotMade(t *testing.T) {
	p, v := poolIn(t.TempDir()), named(name)
	room, err := p.Room()
	if err != nil || room <= 0 {
		t.Fatal(room, err)
	}
	v.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(room+1, resource.BinarySI)}
	if _, err := p.Make(v); !errors.Is(err, ErrFull) {
		t.Errorf("more than the disk: %v", err)
	}
	if volumes, _, err := p.List(); err != nil || len(volumes) > 0 {
		t.Errorf("there are %v, %v", volumes, err)
	}
}

// TestVolumesOutliveTheirCluster: what is left of a pool says whose its volumes were, and can be removed on its own.
func TestVolumesOutliveTheirCluster(t *testing.T) {
	dir := t.TempDir()
	p, v := poolIn(dir), named(name)
	v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "ns", Name: "c", UID: "gone", ResourceVersion: "1"}
	v.Spec.Local = &corev1.LocalVolumeSource{}
	v.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Ki")}
	if _, err := p.Make(v); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(p.Records(), name+".json"))
	if err != nil || strings.Contains(string(content), "gone") || !strings.Contains(string(content), `"path":"`+filepath.Join(p.Dir, name)+`"`) {
		t.Errorf("the record: %s, %v", content, err)
	}
	if size, is := Size(filepath.Join(p.Dir, name)); !is || size != 1024 {
		t.Errorf("its size is %d, %t", size, is)
	}
	if size, is := Size(p.Dir); is {
		t.Errorf("a directory that is no volume has the size %d", size)
	}
	if err := os.Remove(p.Known); err != nil {
		t.Fatal(err)
	}
	if volumes, deleted, err := p.List(); err != nil || deleted != 0 || volumes[name] != "ns/c" {
		t.Errorf("listed: %v, %d, %v", volumes, deleted, err)
	}
	if _, err := p.Make(v); err != nil {
		t.Errorf("the pool of an earlier installation: %v", err)
	}
	if pools, err := Pools(p.Known); err != nil || len(pools) != 1 || pools[0] != *p {
		t.Errorf("known: %v, %v", pools, err)
	}
	outside := filepath.Join(dir, "outside")
	if err := errors.Join(os.Mkdir(outside, 0o700), os.Symlink(outside, filepath.Join(p.Dir, name, "link")), p.Remove()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pool is still there: %v", err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}
