// Package localvolumes keeps the directories of a node in which volumes of class local are. They are made when a volume is made, never
// when it is mounted: what has vanished, with the disk that it was on, is missed, and no database begins anew on another disk.
package localvolumes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/removal"
)

const (
	// records holds what the volumes were when they were made: kubectl apply takes them when there is no API that knows them.
	records = ".volumes"
	// trash holds what is deleted, for as long as one may have second thoughts.
	trash = ".deleted"
	kept  = 24 * time.Hour
)

// ErrName is why a volume is refused, ErrFull why one is not made.
var (
	ErrName = errors.New("volumes are named pvc- and the UID of their claim")
	ErrFull = errors.New("the disk has no room for it")
)

var names = regexp.MustCompile(`^pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Pool is a directory, which is made with its first volume. Nobody but root may look into it; volumes in it are open to all users of
// their containers.
type Pool struct {
	Dir string
	// Known is the file that remembers which disk Dir was on.
	Known string
}

// Make makes a volume's directory, of which the name is all that must be known, and returns where it is. Idempotent.
func (p *Pool) Make(v *corev1.PersistentVolume) (path string, err error) {
	if !names.MatchString(v.Name) {
		return "", fmt.Errorf("making %q: %w", v.Name, ErrName)
	}
	root, err := p.open(true)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if _, err := root.Lstat(v.Name); errors.Is(err, fs.ErrNotExist) {
		if err := p.roomFor(v.Spec.Capacity.Storage().Value()); err != nil {
			return "", err
		}
	}
	path = filepath.Join(p.Dir, v.Name)
	if err := record(root, v, path); err != nil {
		return "", fmt.Errorf("recording volume %s: %w", v.Name, err)
	}
	if err := root.Mkdir(v.Name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := root.Lstat(v.Name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s in %s is no directory", v.Name, p.Dir)
	}
	return path, root.Chmod(v.Name, 0o777)
}

// record writes down what a volume is, for whoever finds its directory and no API that knows it. The claim may be another of the same name.
func record(root *os.Root, v *corev1.PersistentVolume, path string) error {
	if v.Spec.Local == nil {
		return nil // all that is known is its name
	}
	v = v.DeepCopy()
	v.APIVersion, v.Kind = "v1", "PersistentVolume"
	v.Spec.Local.Path = path
	if v.Spec.ClaimRef != nil {
		v.Spec.ClaimRef.UID, v.Spec.ClaimRef.ResourceVersion = "", ""
	}
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := root.Mkdir(records, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return root.WriteFile(filepath.Join(records, v.Name+".json"), append(content, '\n'), 0o600)
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
	if err := root.Mkdir(trash, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	deleted := filepath.Join(trash, now.UTC().Format(stamp)+name)
	for from, to := range map[string]string{name: deleted, filepath.Join(records, name+".json"): deleted + ".json"} {
		if err := root.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
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

// Records is the directory with a manifest for each volume.
func (p *Pool) Records() string { return filepath.Join(p.Dir, records) }

// List returns the names of the volumes that are there, with the claim that each was for, empty if that is not known, and how many are in
// the trash.
func (p *Pool) List() (volumes map[string]string, deleted int, err error) {
	entries, err := os.ReadDir(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	volumes = map[string]string{}
	for _, e := range entries {
		if names.MatchString(e.Name()) {
			volumes[e.Name()] = p.owner(e.Name())
		}
	}
	gone, _ := os.ReadDir(filepath.Join(p.Dir, trash)) // where it cannot be read, there is none
	for _, e := range gone {
		if !strings.HasSuffix(e.Name(), ".json") {
			deleted++
		}
	}
	return volumes, deleted, nil
}

// owner is the claim that a volume was made for.
func (p *Pool) owner(name string) string {
	v, is := recorded(filepath.Join(p.Dir, name))
	if !is || v.Spec.ClaimRef == nil {
		return ""
	}
	return v.Spec.ClaimRef.Namespace + "/" + v.Spec.ClaimRef.Name
}

func recorded(dir string) (v corev1.PersistentVolume, is bool) {
	if !Has(dir) {
		return v, false
	}
	content, err := os.ReadFile(filepath.Join(filepath.Dir(dir), records, filepath.Base(dir)+".json"))
	return v, err == nil && json.Unmarshal(content, &v) == nil
}

// Has tells whether a directory may be a volume's.
func Has(dir string) bool { return names.MatchString(filepath.Base(dir)) }

// Size is what the volume in a directory is to have, in bytes; false if it is none of ours.
func Size(dir string) (size int64, is bool) {
	v, is := recorded(dir)
	return v.Spec.Capacity.Storage().Value(), is
}

// Remove removes all volumes and what was deleted, and the directory if nothing else is in it. It goes through no mount and no link.
func (p *Pool) Remove() error {
	volumes, _, err := p.List()
	if err != nil {
		return err
	}
	var errs []error
	for name := range volumes {
		errs = append(errs, removal.Tree(filepath.Join(p.Dir, name)))
	}
	for _, name := range []string{trash, records} {
		errs = append(errs, removal.Tree(filepath.Join(p.Dir, name)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(p.Dir, marker)); errors.Is(err, fs.ErrNotExist) {
		return nil // it is no pool
	} else if err != nil {
		return err
	}
	_ = os.Remove(p.Dir) // one with something else in it, or that is a disk, stays
	return nil
}
