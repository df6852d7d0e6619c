package build

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

// tree is a folder's content as files of an image: regular files, folders and links, with their owners.
func tree(dir string) ([]archive.File, error) {
	var files []archive.File
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		f := archive.File{Path: name, Mode: int64(stat.Mode & 0o7777), Owner: int(stat.Uid), Group: int(stat.Gid)}
		switch info.Mode().Type() {
		case 0:
			f.Content, err = os.ReadFile(path)
		case fs.ModeDir:
			f.Dir = true
		case fs.ModeSymlink:
			f.Link, err = os.Readlink(path)
		default:
			return nil // devices and pipes are made by the runtime
		}
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return files, nil
}

// unpack returns the blobs of an archive of one image by their SHA-256 sums, and which is the manifest.
func unpack(content []byte) (blobs map[string][]byte, manifest string, err error) {
	blobs = map[string][]byte{}
	var index struct {
		Manifests []struct{ Digest string }
	}
	entries := tar.NewReader(bytes.NewReader(content))
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", err
		}
		b, err := io.ReadAll(entries)
		if err != nil {
			return nil, "", err
		}
		if sum, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok {
			blobs[sum] = b
		}
		if h.Name == "index.json" {
			if err := json.Unmarshal(b, &index); err != nil {
				return nil, "", err
			}
		}
	}
	if len(index.Manifests) != 1 {
		return nil, "", fmt.Errorf("%d images in an archive of one", len(index.Manifests))
	}
	return blobs, strings.TrimPrefix(index.Manifests[0].Digest, "sha256:"), nil
}
