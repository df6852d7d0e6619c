package kubelet

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUpperDir(t *testing.T) {
	for options, want := range map[string]string{
		"rw,lowerdir=/a:/b,upperdir=/c/fs,workdir=/c/work,userxattr": "/c/fs",
		"rw,lowerdir=/a:/b":    "", // read only
		"rw,upperdir=relative": "",
		"":                     "",
	} {
		if got := upperDir(options); got != want {
			t.Errorf("%q: %q, want %q", options, got, want)
		}
	}
}

func TestLayersThatCannotBeTold(t *testing.T) {
	for _, info := range []string{"", "{}", `{"pid":"1"}`, `{"pid":-7}`} {
		if got := layer(info); got != "" {
			t.Errorf("%s: %q", info, got)
		}
	}
}

func TestDiskUsage(t *testing.T) {
	dir := t.TempDir()
	before, err := diskUsage(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a/b/c"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, err := diskUsage(dir); err != nil || after-before < 1<<20 {
		t.Errorf("%d bytes and %d before, %v, want a megabyte more", after, before, err)
	}
	if _, err := diskUsage(filepath.Join(dir, "none")); err == nil {
		t.Error("what is not there has been measured")
	}
}
