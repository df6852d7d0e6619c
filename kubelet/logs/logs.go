// Package logs keeps containers' logs from filling the disk: a log that has grown large is set aside and the runtime
// begins a new one.
package logs

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	// maxSize is how large a log may grow, maxFiles how many there are of an instance, the current one included.
	maxSize  = 10 << 20
	maxFiles = 5
	// lookEvery is how often the sizes of logs are looked at.
	lookEvery = 10 * time.Second
	// stamp distinguishes logs that were set aside; it sorts by time.
	stamp = "20060102-150405"
)

// Log is the log of a running container.
type Log struct {
	ContainerID, Path string
}

// Rotator sets large logs aside.
type Rotator struct {
	// Running lists the logs that are being written.
	Running func() []Log
	// Reopen makes the runtime write to the path anew.
	Reopen func(ctx context.Context, containerID string) error

	maxSize int64
}

// Run looks at the sizes until ctx ends.
func (r *Rotator) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, l := range r.Running() {
			err := guard.Call("rotating a log", func() error { return r.rotate(ctx, l, time.Now()) })
			if err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "Rotating a log", "path", l.Path)
			}
		}
	}
}

// rotate sets a log aside if it is too large.
func (r *Rotator) rotate(ctx context.Context, l Log, now time.Time) error {
	limit := r.maxSize
	if limit == 0 {
		limit = maxSize
	}
	info, err := os.Stat(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		// A process before this one may have been stopped between the two steps.
		return r.Reopen(ctx, l.ContainerID)
	}
	if err != nil || info.Size() < limit {
		return err
	}
	if err := tidy(l.Path); err != nil {
		return err
	}
	aside := l.Path + "." + now.UTC().Format(stamp)
	if err := os.Rename(l.Path, aside); err != nil {
		return err
	}
	if err := r.Reopen(ctx, l.ContainerID); err != nil {
		// The container still writes to the old file: let it be found there.
		return errors.Join(fmt.Errorf("reopening: %w", err), os.Rename(aside, l.Path))
	}
	return nil
}

// Remove removes a log and all that was set aside of it.
func Remove(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if name := filepath.Base(path); e.Name() == name || strings.HasPrefix(e.Name(), name+".") {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), e.Name())))
		}
	}
	return err
}

// tidy makes room for one more log set aside: all are compressed, the oldest are removed.
func tidy(path string) error {
	all, err := filepath.Glob(path + ".*")
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p string) bool {
		if strings.HasSuffix(p, ".tmp") {
			_ = os.Remove(p) // the rest of a compression that was cut off
			return true
		}
		return false
	})
	slices.Sort(all)
	for len(all) > maxFiles-2 {
		if err := os.Remove(all[0]); err != nil {
			return err
		}
		all = all[1:]
	}
	for _, p := range all {
		if !strings.HasSuffix(p, ".gz") {
			if err := compress(p); err != nil {
				return fmt.Errorf("compressing %s: %w", p, err)
			}
		}
	}
	return nil
}

func compress(path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp := path + ".tmp"
	out, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, in)
	if err = errors.Join(err, z.Close(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path+".gz"); err != nil {
		return err
	}
	return os.Remove(path)
}
