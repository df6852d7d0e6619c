// Package localvolumes keeps the directories of a node in which volumes of class local are. They are made when a volume is made, never
// when it is mounted: what has vanished, with the disk that it was on, is missed, and no database begins anew on another disk.
package localvolumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/coracle-k8s/coracle/kubelet/removal"
)

const (
	// marker says that a directory is a pool: without it, the disk that the pool is on is not mounted.
	marker = ".coracle-pool"
	// trash holds what is deleted, for as long as one may have second thoughts.
	trash = ".deleted"
	kept  = 24 * time.Hour
)

// ErrName is why a volume is refused.
var ErrName = errors.New("volumes are named pvc- and the UID of their claim")

var names = regexp.MustCompile(`^pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Pool is a directory, which is made with its first volume. Nobody but root may look into it; volumes in it are open to all users of
// their containers.
type Pool struct{ Dir string }

// Make makes a volume's directory and returns where it is. Idempotent.
func (p *Pool) Make(name string) (path string, err error) {
	if !names.MatchString(name) {
		return "", fmt.Errorf("making %q: %w", name, ErrName)
	}
	root, err := p.open(true)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s in %s is no directory", name, p.Dir)
	}
	return filepath.Join(p.Dir, name), root.Chmod(name, 0o777)
}

// Delete takes a volume's directory away, to the trash. Idempotent. It fails where there is no pool.
func (p *Pool) Delete(name string, now time.Time) error {
	if !names.MatchString(name) {
		return fmt.Errorf("deleting %q: %w", name, ErrName)
	}
	root, err := p.open(false)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := root.Mkdir(trash, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return root.Rename(name, filepath.Join(trash, now.UTC().Format(stamp)+name))
}

// stamp begins the names of what is in the trash.
const stamp = "20060102T150405Z-"

// Sweep removes what has been in the trash for a day, and says when there is more to remove; zero if there is nothing left. It follows
// no link, and enters nothing that is mounted.
func (p *Pool) Sweep(now time.Time) (next time.Time, err error) {
	entries, err := os.ReadDir(filepath.Join(p.Dir, trash))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	var errs error
	for _, e := range entries {
		if len(e.Name()) < len(stamp) {
			continue
		}
		since, err := time.Parse(stamp, e.Name()[:len(stamp)])
		if err != nil {
			continue // somebody else's
		}
		due := since.Add(kept)
		if !now.Before(due) {
			if err := removal.Tree(filepath.Join(p.Dir, trash, e.Name())); err != nil {
				errs = errors.Join(errs, err)
			}
			continue
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next, errs
}

// open opens the pool, and makes it if that is asked for.
func (p *Pool) open(create bool) (*os.Root, error) {
	if create {
		if err := os.MkdirAll(p.Dir, 0o700); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	if create {
		err = root.WriteFile(marker, nil, 0o600)
	} else if _, err = root.Lstat(marker); errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is not where local volumes were made: is its disk mounted?", p.Dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}
