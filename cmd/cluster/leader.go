package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// Upstream's times.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// leading makes a part of which a cluster must have one at a time run only while this server holds the Lease that is named as
// upstream's process of that user. A server with an etcd of its own is the only one, and has no Lease. A part that loses its Lease is
// stopped and waits for it again; nothing else in the process is concerned.
func (c *Cluster) leading(user string, run func(context.Context) error) func(context.Context) error {
	if len(c.options.EtcdServers) == 0 {
		return run
	}
	return func(ctx context.Context) error {
		client, err := kubernetes.NewForConfig(c.configOf(user))
		if err != nil {
			return err
		}
		host, _ := os.Hostname() // a part of the identity that only people read
		name := strings.TrimPrefix(user, "system:")
		return lead(ctx, &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + uuid.NewString()},
		}, run)
	}
}

// errDeposed is why a part ends that has lost its Lease.
var errDeposed = errors.New("another server leads now")

// lead waits for the lock and runs while it is held, and returns when what ran has ended.
func lead(ctx context.Context, lock resourcelock.Interface, run func(context.Context) error) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	var term term
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				defer cancel() // who has nothing to run need not lead
				if term.begin() {
					err := guard.Call("leader", func() error { return run(leading) })
					if err == nil && leading.Err() != nil && running.Err() == nil {
						err = errDeposed // the library alone has ended it
					}
					term.end(err)
				}
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("preparing the election of a leader: %w", err)
	}
	elector.Run(running) // until it is deposed, or running ends
	deposed := running.Err() == nil
	began, err := term.over()
	if began {
		release(context.WithoutCancel(ctx), lock)
	} else if deposed {
		err = errDeposed
	}
	return err
}

// term is the time for which somebody leads, which begins on another goroutine.
type term struct {
	mu    sync.Mutex
	never bool
	ended chan error // nil: it has not begun
}

// begin reports whether the term may begin.
func (t *term) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.never {
		t.ended = make(chan error, 1)
	}
	return !t.never
}

func (t *term) end(err error) { t.ended <- err }

// over waits for the end of the term. One that has not begun does not begin any more.
func (t *term) over() (began bool, err error) {
	t.mu.Lock()
	ended := t.ended
	t.never = true
	t.mu.Unlock()
	if ended == nil {
		return false, nil
	}
	return true, <-ended
}

// releaseLimit is how long a stopping server takes to say that another one may lead.
const releaseLimit = 2 * time.Second

// release lets another server lead at once. The library would do so before what runs has ended.
func release(ctx context.Context, lock resourcelock.Interface) {
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	record, _, err := lock.Get(ctx)
	if err != nil || record.HolderIdentity != lock.Identity() {
		return
	}
	now := metav1.Now()
	err = lock.Update(ctx, resourcelock.LeaderElectionRecord{
		LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, RenewTime: now, AcquireTime: now,
	})
	if err != nil {
		klog.ErrorS(err, "Releasing the Lease of a part; it expires by itself", "lease", lock.Describe())
	}
}
