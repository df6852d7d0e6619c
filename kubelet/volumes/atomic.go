package volumes

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coracle-k8s/coracle/kubelet/removal"
)

// file is one file of a volume that is rendered from objects.
type file struct {
	data []byte
	mode fs.FileMode
	uid  *int64 // owner; nil for root
}

const (
	dataLink    = "..data"
	newDataLink = "..data_tmp"
)

// writeAtomically makes dir hold exactly the files, by relative path. Readers see either all old or all new ones: each
// file is a link into ..data, which is a link to a directory that is replaced as a whole.
//
//	dir/..data -> ..2026_01_02_15_04_05.123456789
//	dir/key    -> ..data/key
//
// gid, where given, owns the files. It returns whether anything changed.
func writeAtomically(dir string, files map[string]file, gid *int64) (changed bool, err error) {
	for path := range files {
		if !validPath(path) {
			return false, fmt.Errorf("invalid path %q: must be relative and must not contain '..'", path)
		}
	}
	current, err := os.Readlink(filepath.Join(dir, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	old := filepath.Join(dir, current)
	if current != "" && same(old, files) {
		return false, makeLinks(dir, files)
	}
	fresh, err := writeGeneration(dir, files, gid)
	if err != nil {
		return false, err
	}
	tmp := filepath.Join(dir, newDataLink)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.Symlink(filepath.Base(fresh), tmp); err != nil {
		return false, errors.Join(err, removal.Tree(fresh))
	}
	if err := os.Rename(tmp, filepath.Join(dir, dataLink)); err != nil {
		return false, errors.Join(err, removal.Tree(fresh))
	}
	err = errors.Join(makeLinks(dir, files), dropLinks(dir, files))
	if current != "" {
		err = errors.Join(err, removal.Tree(old))
	}
	return true, err
}

func validPath(path string) bool {
	return path != "" && !filepath.IsAbs(path) && !slices.Contains(strings.Split(path, "/"), "..") && !strings.HasPrefix(path, "..")
}

// same tells whether a generation holds exactly the files.
func same(dir string, files map[string]file) bool {
	count := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		want, ok := files[relative]
		if !ok {
			return fs.ErrExist
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if info.Mode().Perm() != want.mode.Perm() || !bytes.Equal(data, want.data) {
			return fs.ErrExist
		}
		count++
		return nil
	})
	return err == nil && count == len(files)
}

func writeGeneration(dir string, files map[string]file, gid *int64) (path string, err error) {
	path, err = os.MkdirTemp(dir, time.Now().UTC().Format("..2006_01_02_15_04_05."))
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removal.Tree(path))
		}
	}()
	if err := os.Chmod(path, 0o755); err != nil {
		return "", err
	}
	for name, f := range files {
		full := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(full, f.data, f.mode.Perm()); err != nil {
			return "", err
		}
		uid, group := -1, -1
		if f.uid != nil {
			uid = int(*f.uid)
		}
		if gid != nil {
			group = int(*gid)
		}
		if err := os.Lchown(full, uid, group); err != nil {
			return "", err
		}
		// After the owner: changing that may take bits away, and the umask already has.
		if err := os.Chmod(full, f.mode); err != nil {
			return "", err
		}
	}
	return path, nil
}

// makeLinks links the first element of every path into the current generation.
func makeLinks(dir string, files map[string]file) error {
	for path := range files {
		top, _, _ := strings.Cut(path, "/")
		err := os.Symlink(filepath.Join(dataLink, top), filepath.Join(dir, top))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// dropLinks removes links to what is no more.
func dropLinks(dir string, files map[string]file) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for path := range files {
		top, _, _ := strings.Cut(path, "/")
		wanted[top] = true
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") || wanted[e.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
