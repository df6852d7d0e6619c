package runtime_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

func TestArchivesLoadOnce(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t))
	dir := filepath.Join(n.config.DataDir, "images")
	if err := images.LoadDir(t.Context(), n.Endpoint(), dir, nil); err != nil {
		t.Errorf("without the folder: %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.tar", image(t, "docker.io/library/a:1", "x"))
	write("b.tar.gz", gzipped(t, image(t, "docker.io/library/b:1", "y")))
	write("c.tar.zst", zstandard(t, image(t, "docker.io/library/c:1", "z")))
	write("notes.txt", []byte("no archive"))

	load := func() (loaded []string) {
		t.Helper()
		err := images.LoadDir(t.Context(), n.Endpoint(), dir, func(name string, _ []string, err error) {
			if err != nil {
				name += " fails"
			}
			loaded = append(loaded, name)
		})
		if fails := slices.Contains(loaded, "broken.tar fails"); fails != (err != nil) {
			t.Fatalf("loading: %v, %v", loaded, err)
		}
		return loaded
	}
	for i, step := range []struct {
		change func()
		want   []string
	}{
		{func() {}, []string{"a.tar", "b.tar.gz", "c.tar.zst"}},
		{func() {}, nil},
		{func() { write("a.tar", image(t, "docker.io/library/a:2", "changed")) }, []string{"a.tar"}},
		{func() { remove(t, n, "docker.io/library/b:1") }, []string{"b.tar.gz"}},
		{func() { write("broken.tar", []byte("rubbish")) }, []string{"broken.tar fails"}},
		{func() {}, []string{"broken.tar fails"}},
	} {
		step.change()
		if got := load(); !slices.Equal(got, step.want) {
			t.Errorf("step %d: loaded %v, want %v", i, got, step.want)
		}
	}
	for name, kept := range map[string]bool{"a:1": false, "a:2": true, "b:1": true, "c:1": true} {
		eventually(t, name+" is known", func() bool {
			s, err := n.images.ImageStatus(t.Context(), &runtimeapi.ImageSpec{Image: name}, false)
			return err == nil && s.Image != nil && s.Image.Pinned == kept
		})
	}
}

func image(t *testing.T, name, content string) []byte {
	t.Helper()
	b, err := archive.Bytes(archive.Image{Name: name, Files: []archive.File{{Path: "f", Mode: 0o644, Content: []byte(content)}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func remove(t *testing.T, n *node, name string) {
	t.Helper()
	if err := n.images.RemoveImage(t.Context(), &runtimeapi.ImageSpec{Image: name}); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t *testing.T, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}
