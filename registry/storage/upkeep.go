package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	etcdversion "go.etcd.io/etcd/api/v3/version"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// Upkeep looks after the database of an embedded etcd: it gives free pages back to the disk, and gets it out of the state in which
// etcd refuses writes because its file has reached the quota.
type Upkeep struct {
	member *etcdserver.EtcdServer
	client *clientv3.Client
	quota  int64
	dir    string

	// file is held while the file is replaced, or read as a whole: one would wait for the other, and all writes with it.
	file      sync.Mutex
	defrags   atomic.Int64
	snapshots snapshotCounts
	warnings  chan Warning

	stop    context.CancelFunc
	working guard.Group
}

// Warning is for users.
type Warning struct{ Reason, Message string }

// Usage is how full the database is.
type Usage struct {
	Version  string
	Revision int64
	// Bytes: Size is the file's, InUse what of it holds something, Quota where writes are refused.
	Size, InUse, Quota int64
	// NoSpace is that writes are refused now.
	NoSpace bool
}

func newUpkeep(member *etcdserver.EtcdServer, client *clientv3.Client, dir string, quota int64) *Upkeep {
	ctx, stop := context.WithCancel(context.Background())
	u := &Upkeep{member: member, client: client, quota: quota, dir: dir, warnings: make(chan Warning, 1), stop: stop}
	u.working.Keep(ctx, "etcd upkeep", u.run)
	return u
}

// close returns when nothing uses the member any more.
func (u *Upkeep) close() {
	u.stop()
	u.working.Wait()
}

// Warnings are what users should know: the last one, if nobody has read those before.
func (u *Upkeep) Warnings() <-chan Warning { return u.warnings }

func (u *Upkeep) warn(reason, message string) {
	klog.ErrorS(nil, "etcd needs attention", "reason", reason, "message", message)
	select {
	case <-u.warnings:
	default:
	}
	select {
	case u.warnings <- Warning{reason, message}:
	default: // another one was quicker
	}
}

// Usage reads memory only.
func (u *Upkeep) Usage() Usage {
	b := u.member.Backend()
	return Usage{
		Version: etcdversion.Version, Revision: u.member.KV().Rev(), Size: b.Size(), InUse: b.SizeInUse(), Quota: u.quota, NoSpace: u.noSpace(),
	}
}

func (u *Upkeep) noSpace() bool {
	for _, a := range u.member.Alarms() {
		if a.Alarm == etcdserverpb.AlarmType_NOSPACE {
			return true
		}
	}
	return false
}

// Problem says what an administrator should know of the usage, in a sentence; "" if there is nothing.
func (u Usage) Problem() string {
	switch {
	case u.NoSpace:
		return fmt.Sprintf("the database has reached its quota: %s of %s; nothing can be written until something is deleted, or --etcd-quota raised", size(u.Size), size(u.Quota))
	case u.near():
		return fmt.Sprintf("the database is near its quota: %s of %s (--etcd-quota)", size(u.Size), size(u.Quota))
	}
	return ""
}

// Defragment gives free pages back to the disk. Nothing is read or written meanwhile: about a second for each 100 MB in use.
func (u *Upkeep) Defragment(ctx context.Context) error {
	if !u.file.TryLock() {
		return errors.New("defragmenting etcd: a snapshot or another defragmentation is under way")
	}
	defer u.file.Unlock()
	// The client's own call panics in process: it has nobody to tell.
	if err := guard.Call("etcd defragmentation", u.member.Defragment); err != nil {
		return fmt.Errorf("defragmenting etcd: %w", err)
	}
	u.defrags.Add(1)
	if err := u.disarm(ctx); err != nil {
		return fmt.Errorf("allowing writes again: %w", err)
	}
	return nil
}

// Compact forgets all history, which frees pages. Watches that are behind must list again.
func (u *Upkeep) compact(ctx context.Context) error {
	_, err := u.client.Compact(ctx, u.member.KV().Rev(), clientv3.WithCompactPhysical())
	u.member.Backend().ForceCommit() // and count free pages
	return err
}

// disarm allows writes again if there is room.
func (u *Upkeep) disarm(ctx context.Context) error {
	if now := u.Usage(); !now.NoSpace || now.Size >= now.Quota/20*19 {
		return nil
	}
	_, err := u.client.AlarmDisarm(ctx, &clientv3.AlarmMember{MemberID: uint64(u.member.MemberID()), Alarm: etcdserverpb.AlarmType_NOSPACE})
	return err
}

const (
	calmInterval, nearInterval = time.Minute, 5 * time.Second
	warnEvery                  = time.Hour
	upkeepLimit                = time.Minute
)

// run looks now and then, more often the fuller the database is, and at once when it begins: it may have ended for want of space.
func (u *Upkeep) run(ctx context.Context) {
	var warned, defragmented time.Time
	last, at := u.member.KV().Rev(), time.Now()
	for {
		now := time.Now()
		usage := u.Usage()
		rate := float64(usage.Revision-last) / max(now.Sub(at).Seconds(), 1)
		last, at = usage.Revision, now
		plan := decide(usage, rate, now.Sub(defragmented))
		if plan.defragment {
			defragmented = now
		}
		u.carryOut(ctx, plan)
		problem := u.Usage().Problem() // what is near the quota only for its free pages is no more
		if usage.NoSpace {
			problem = usage.Problem() // which users have felt, even if it is over
		}
		switch {
		case problem == "":
			warned = time.Time{}
		case time.Since(warned) > warnEvery:
			warned = now
			u.warn("EtcdNearlyFull", problem+". Most of it are "+u.describeBiggest(ctx))
		}
		pause := calmInterval
		if usage.Size > usage.Quota/2 {
			pause = nearInterval
		}
		select {
		case <-time.After(aligned(time.Now(), pause)):
		case <-ctx.Done():
			return
		}
	}
}

func (u *Upkeep) carryOut(ctx context.Context, plan upkeepPlan) {
	ctx, cancel := context.WithTimeout(ctx, upkeepLimit)
	defer cancel()
	if plan.compact {
		if err := u.compact(ctx); err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "Compacting etcd's history to free space")
		}
		now := u.Usage()
		plan.defragment = plan.defragment || now.Size-now.InUse > now.Quota/20
	}
	if plan.defragment {
		if err := u.Defragment(ctx); err != nil {
			klog.ErrorS(err, "Giving etcd's free pages back")
		}
	}
	if plan.disarm {
		if err := u.disarm(ctx); err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "Allowing writes to etcd again")
		}
	}
}
