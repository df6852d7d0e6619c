package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	etcdversion "go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/features"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
	apistorage "k8s.io/apiserver/pkg/storage"
	etcdfeature "k8s.io/apiserver/pkg/storage/feature"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	memberName = "coracle"
	// noPeer is what a single member is told its own address to be; nothing listens there.
	noPeer = "http://127.0.0.1:1"

	// A snapshot of the log comes so early that one is there when a fresh server is ready: see electable.
	entriesToFirstSnapshot = 100
	entriesPerSnapshot     = 1000
	keepEntries            = 5000

	startLimit = 30 * time.Second
	stopLimit  = 5 * time.Second
)

// DefaultQuota is the size of the database's file at which writes are refused, unless told otherwise.
const DefaultQuota = 8 << 30

// Embedded starts a one-member etcd in this process, without any listener, on a directory that it creates. The directory
// is locked: a second server on it is refused. Every acknowledged write has been synced to disk. quota is the size of the database's
// file at which writes are refused; 0 is DefaultQuota.
func Embedded(ctx context.Context, dir string, quota int64) (*Backend, error) {
	if quota == 0 {
		quota = DefaultQuota
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the etcd directory: %w", err)
	}
	lock, err := lockDirectory(dir)
	if err != nil {
		return nil, err
	}
	end := &fatality{dir: dir, failed: make(chan struct{})}
	member, err := startMember(ctx, dir, quota, end)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("starting etcd on %s: %w; %s", dir, err, advice(err, dir))
	}
	client := v3client.New(member)
	etcdfeature.DefaultFeatureSupportChecker.CheckClient(ctx, inProcess{}, apistorage.RequestWatchProgress)
	upkeep := newUpkeep(member, client, dir, quota)
	b := newBackend(client, func() {
		upkeep.close()
		_ = client.Close()
		if stopMember(member) && end.why() == nil {
			markClean(dir)
		}
		_ = lock.Close()
	})
	b.Upkeep, b.failed, b.why = upkeep, end.failed, end.why
	return b, nil
}

// lockDirectory takes the lock that keeps other processes, and other servers of this one, off dir.
func lockDirectory(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of the etcd directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("locking the etcd directory %s: another server uses it: %w", dir, err)
	}
	return lock, nil
}

// startMember returns when the member can be written to. What etcd reports of a damaged directory by ending the process
// becomes an error, as long as it happens here.
func startMember(ctx context.Context, dir string, quota int64, end *fatality) (member *etcdserver.EtcdServer, err error) {
	logger, err := quietLogger(end)
	if err != nil {
		return nil, err
	}
	defer func() {
		if found := recover(); found != nil {
			if why, ok := found.(error); ok {
				err = why
			} else {
				err = fmt.Errorf("%v", found)
			}
		}
	}()
	clean, err := takeMark(dir)
	if err != nil {
		return nil, err
	}
	if err := checkFiles(dir, clean); err != nil {
		return nil, err
	}
	member, err = etcdserver.NewServer(memberConfig(dir, quota, logger))
	if err != nil {
		return nil, err
	}
	safe := electable(dir, member.Cfg.NewCluster)
	if !safe {
		member.ForceSnapshot() // the next start shall be quicker
	}
	end.running.Store(true)
	member.Start()
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := lead(ctx, member, safe); err != nil {
		stopMember(member)
		return nil, err
	}
	return member, nil
}

func memberConfig(dir string, quota int64, logger *zap.Logger) config.ServerConfig {
	self := types.MustNewURLs([]string{noPeer})
	fresh := !wal.Exist(filepath.Join(dir, "member", "wal"))
	snapshotEvery := uint64(entriesPerSnapshot)
	if fresh {
		snapshotEvery = entriesToFirstSnapshot
	}
	return config.ServerConfig{
		Name:                        memberName,
		DataDir:                     dir,
		PeerURLs:                    self,
		InitialPeerURLsMap:          types.URLsMap{memberName: self},
		InitialClusterToken:         memberName,
		NewCluster:                  fresh,
		TickMs:                      500, // an idle server wakes up for every tick, and has nobody to tell that it lives
		ElectionTicks:               2,
		InitialElectionTickAdvance:  true,
		PreVote:                     true,
		SnapshotCount:               snapshotEvery,
		SnapshotCatchUpEntries:      keepEntries,
		MaxSnapFiles:                5,
		MaxWALFiles:                 5,
		QuotaBackendBytes:           quota,
		BackendBatchInterval:        500 * time.Millisecond, // how long writes stay in the log alone, which is synced
		BackendFreelistType:         bolt.FreelistMapType,
		MaxTxnOps:                   128,
		MaxRequestBytes:             1.5 * (1 << 20),
		MaxLearners:                 1,
		StrictReconfigCheck:         true,
		AuthToken:                   "simple",
		BcryptCost:                  4,
		TokenTTL:                    300,
		CompactionBatchLimit:        1000,
		WatchProgressNotifyInterval: time.Minute, // bookmarks of watches that read etcd's history: more often than it is compacted
		DowngradeCheckTime:          5 * time.Second,
		WarningApplyDuration:        time.Second,
		WarningUnaryRequestDuration: time.Second,
		V2Deprecation:               config.V2DeprDefault,
		ServerFeatureGate:           features.NewDefaultServerFeatureGate(memberName, logger),
		Logger:                      logger,
	}
}

// electable reports whether the member may be made to lead at once. raft then scans what is committed and not applied; it
// panics if etcd has dropped the beginning of that from memory, as etcd does when it has applied some entries. It keeps
// keepEntries, and there are fewer since the last snapshot. Without a snapshot it always drops the first entry.
func electable(dir string, fresh bool) bool {
	return fresh || len(filesIn(filepath.Join(dir, "member", "snap"), ".snap")) > 0
}

// lead returns when the member leads. Electable ones do so in milliseconds, instead of after an election timeout of slow
// ticks: by a leader's hand-over message from themselves. It is refused, without harm, until the member has applied its
// own configuration: hence the loop.
func lead(ctx context.Context, member *etcdserver.EtcdServer, electable bool) error {
	id := uint64(member.MemberID())
	retry := time.NewTicker(2 * time.Millisecond)
	defer retry.Stop()
	for {
		if electable {
			_ = member.Process(ctx, &raftpb.Message{Type: new(raftpb.MsgTimeoutNow), To: &id, From: &id})
		}
		select {
		case <-member.ReadyNotify():
			return nil
		case <-ctx.Done():
			return fmt.Errorf("waiting for the member to lead: %w", ctx.Err())
		case <-retry.C:
		}
	}
}

// stopMember waits for the member to stop, but not for clients that never let go, nor for what is left of one that failed. It reports
// whether the member stopped in order.
func stopMember(member *etcdserver.EtcdServer) bool {
	guard.Go("stopping etcd", member.Stop)
	select {
	case <-member.StopNotify():
		return true
	case <-time.After(stopLimit):
	}
	guard.Go("stopping etcd", member.HardStop)
	select {
	case <-member.StopNotify():
	case <-time.After(stopLimit):
	}
	return false
}

// inProcess tells the library's feature checker, which asks endpoints over the network, what the embedded etcd can do.
type inProcess struct{}

func (inProcess) Endpoints() []string { return []string{"in-process"} }

func (inProcess) Status(context.Context, string) (*clientv3.StatusResponse, error) {
	return &clientv3.StatusResponse{Version: etcdversion.Version}, nil
}
