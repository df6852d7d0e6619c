package storage

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/klog/v2"
)

// Schedule says how often snapshots are made, how many are kept, and where.
type Schedule struct {
	Every time.Duration
	Keep  int
	Dir   string
}

const (
	snapshotName, snapshotSuffix = "coracle-", ".db"
	// A snapshot that failed is tried again after this, or when it is due if that is sooner.
	snapshotAgain = 10 * time.Minute
	// A server that has just started has other things to do.
	snapshotsFrom = time.Minute
)

type snapshotCounts struct {
	mu             sync.Mutex
	made, failed   int
	last           time.Time // of the last good one
	lastFailedWith string
}

func (c *snapshotCounts) count(at time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed++
		c.lastFailedWith = err.Error()
		return
	}
	c.made++
	c.last, c.lastFailedWith = at, ""
}

// KeepSnapshots makes snapshots until ctx ends. One that fails is a warning, and no older one is deleted for it.
func (u *Upkeep) KeepSnapshots(ctx context.Context, s Schedule) {
	next := time.Now().Add(snapshotsFrom)
	if all := snapshotsIn(s.Dir); len(all) > 0 {
		if info, err := os.Stat(all[len(all)-1]); err == nil {
			u.snapshots.mu.Lock()
			u.snapshots.last = info.ModTime()
			u.snapshots.mu.Unlock()
			if due := info.ModTime().Add(s.Every); due.After(next) {
				next = due
			}
		}
	}
	for {
		select {
		case <-time.After(min(time.Until(next), time.Hour)): // a clock may be set
		case <-ctx.Done():
			return
		}
		if time.Now().Before(next) && time.Until(next) < s.Every {
			continue
		}
		err := u.TakeSnapshot(ctx, s)
		next = time.Now().Add(s.Every)
		if err != nil && ctx.Err() == nil {
			u.warn("EtcdSnapshotFailed", err.Error())
			next = time.Now().Add(min(s.Every, snapshotAgain))
		}
	}
}

// TakeSnapshot makes one snapshot, and then deletes those that are too many, and what of failed ones is left.
func (u *Upkeep) TakeSnapshot(_ context.Context, s Schedule) (err error) {
	now := time.Now()
	defer func() { u.snapshots.count(now, err) }()
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of snapshots: %w", err)
	}
	leftovers, _ := filepath.Glob(filepath.Join(s.Dir, partial+snapshotName+"*"))
	for _, path := range leftovers {
		_ = os.Remove(path)
	}
	path := filepath.Join(s.Dir, snapshotName+now.UTC().Format(timeInNames)+snapshotSuffix)
	if err := SaveSnapshot(path, func(w io.Writer) error { return u.SnapshotTo(w, func(int64) {}) }); err != nil {
		return err
	}
	all := snapshotsIn(s.Dir)
	for _, old := range all[:max(0, len(all)-max(s.Keep, 1))] {
		if err := os.Remove(old); err != nil {
			klog.ErrorS(err, "Deleting an old snapshot of etcd")
		}
	}
	return nil
}

// snapshotsIn are those that were made by a schedule, the oldest first.
func snapshotsIn(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir) // none, if it is not there
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, snapshotName) && strings.HasSuffix(name, snapshotSuffix) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	slices.Sort(paths)
	return paths
}

// Collectors are the metrics of an embedded etcd.
func (u *Upkeep) Collectors() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "coracle_etcd_" + name, Help: help}, value)
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "coracle_etcd_" + name, Help: help}, value)
	}
	counts := func(read func(*snapshotCounts) float64) func() float64 {
		return func() float64 {
			u.snapshots.mu.Lock()
			defer u.snapshots.mu.Unlock()
			return read(&u.snapshots)
		}
	}
	return []prometheus.Collector{
		gauge("size_bytes", "Size of the database's file", func() float64 { return float64(u.member.Backend().Size()) }),
		gauge("in_use_bytes", "What of the database's file holds something", func() float64 { return float64(u.member.Backend().SizeInUse()) }),
		gauge("quota_bytes", "Size at which writes are refused", func() float64 { return float64(u.quota) }),
		gauge("no_space", "1 while writes are refused", func() float64 {
			if u.noSpace() {
				return 1
			}
			return 0
		}),
		counter("defragmentations_total", "How often free pages were given back to the disk", func() float64 { return float64(u.defrags.Load()) }),
		counter("snapshots_total", "Scheduled snapshots that were made", counts(func(c *snapshotCounts) float64 { return float64(c.made) })),
		counter("snapshots_failed_total", "Scheduled snapshots that failed", counts(func(c *snapshotCounts) float64 { return float64(c.failed) })),
		gauge("last_snapshot_timestamp_seconds", "When the last good scheduled snapshot was made; 0 if never", counts(func(c *snapshotCounts) float64 {
			if c.last.IsZero() {
				return 0
			}
			return float64(c.last.Unix())
		})),
	}
}
