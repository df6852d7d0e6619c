package cluster

import (
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/coracle-k8s/coracle/registry/storage"
)

const (
	// A smaller database fills up before it is looked at again.
	smallestQuota = 16 << 20
	// DefaultSnapshots is how many scheduled snapshots are kept.
	DefaultSnapshots = 5
	mostOften        = time.Minute
)

func (o *Options) checkEtcd() error {
	quota, err := resource.ParseQuantity(o.EtcdQuota)
	if err != nil || quota.Value() < smallestQuota {
		return fmt.Errorf("--etcd-quota: %q is not a size of at least 16Mi", o.EtcdQuota)
	}
	if o.EtcdSnapshotInterval == 0 {
		return nil
	}
	if len(o.EtcdServers) > 0 {
		return fmt.Errorf("--etcd-snapshot-interval: only the embedded etcd's snapshots are made here, not those of --etcd-servers")
	}
	if o.EtcdSnapshotInterval < mostOften {
		return fmt.Errorf("--etcd-snapshot-interval: %s is less than %s", o.EtcdSnapshotInterval, mostOften)
	}
	if o.EtcdSnapshotKeep == 0 {
		o.EtcdSnapshotKeep = DefaultSnapshots
	}
	if o.EtcdSnapshotKeep < 1 {
		return fmt.Errorf("--etcd-snapshot-keep: at least one is kept, not %d", o.EtcdSnapshotKeep)
	}
	if o.EtcdSnapshotDir == "" {
		o.EtcdSnapshotDir = filepath.Join(o.DataDir, "snapshots")
	}
	o.EtcdSnapshotDir, err = filepath.Abs(o.EtcdSnapshotDir)
	return err
}

// EtcdQuotaBytes is EtcdQuota in bytes; 0 if it says nothing.
func (o *Options) EtcdQuotaBytes() int64 {
	quota, err := resource.ParseQuantity(o.EtcdQuota)
	if err != nil {
		return 0
	}
	return quota.Value()
}

// snapshots is nil if none are made.
func (o *Options) snapshots() *storage.Schedule {
	if o.EtcdSnapshotInterval == 0 {
		return nil
	}
	return &storage.Schedule{Every: o.EtcdSnapshotInterval, Keep: o.EtcdSnapshotKeep, Dir: o.EtcdSnapshotDir}
}
