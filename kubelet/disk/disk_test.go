package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
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
