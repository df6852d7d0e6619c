package logs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLargeLogsAreSetAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "0.log")
	write := func(size int) {
		t.Helper()
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	reopened := 0
	r := &Rotator{maxSize: 10, Reopen: func(context.Context, string) error { reopened++; write(0); return nil }}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	write(9)
	if err := r.rotate(t.Context(), Log{Path: path}, now); err != nil || reopened != 0 {
		t.Fatalf("a small log: %v, reopened %d times", err, reopened)
	}
	for i := range 8 {
		write(10)
		if err := r.rotate(t.Context(), Log{Path: path}, now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if reopened != 8 {
		t.Errorf("reopened %d times", reopened)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0.log", "0.log.20260102-030409.gz", "0.log.20260102-030410.gz", "0.log.20260102-030411.gz", "0.log.20260102-030412"}
	if len(files) != len(want) {
		t.Fatalf("got %v", files)
	}
	for i, f := range files {
		if filepath.Base(f) != want[i] {
			t.Errorf("got %s, want %s", filepath.Base(f), want[i])
		}
	}
}

func TestALogThatCannotBeReopenedStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 20), 0o640); err != nil {
		t.Fatal(err)
	}
	r := &Rotator{maxSize: 10, Reopen: func(context.Context, string) error { return errors.New("no") }}
	if err := r.rotate(t.Context(), Log{Path: path}, time.Now()); err == nil {
		t.Error("no error")
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 20 {
		t.Errorf("got %v %v", info, err)
	}
}
