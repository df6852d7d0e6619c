package kubelet

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// sweepPause is between a failure in the runtime and a look at what it left, and between tries.
const sweepPause = 10 * time.Second

// Sweep removes what the runtime made for Pods before a time and that is not known. known is to be asked after looking.
type Sweep func(ctx context.Context, before time.Time, known func(context.Context) (map[string]bool, error)) error

// sweeper removes what calls that failed left in the runtime: once at the start, as an earlier process may not have outlived its calls,
// and soon after each failure.
type sweeper struct {
	calls  *runtime.Whole
	failed chan struct{}
	sweep  Sweep
}

func newSweeper(calls *runtime.Whole, sweep Sweep) *sweeper {
	s := &sweeper{calls: calls, failed: make(chan struct{}, 1), sweep: sweep}
	calls.Failed = s.poke
	return s
}

func (s *sweeper) poke() {
	select {
	case s.failed <- struct{}{}:
	default:
	}
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	s.poke()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.failed:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
		}
		// What was begun a moment ago may go on in the runtime, though the call has failed.
		before := s.calls.Before()
		if latest := time.Now().Add(-sweepPause / 2); latest.Before(before) {
			before = latest
		}
		if err := s.sweep(ctx, before, s.known); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Removing what is left in the runtime by calls that failed, trying again", "after", sweepPause)
			s.poke()
		}
	}
}

// known are the IDs of all sandboxes and containers that the runtime lists.
func (s *sweeper) known(ctx context.Context) (map[string]bool, error) {
	sandboxes, err := s.calls.ListPodSandbox(ctx, nil)
	if err != nil {
		return nil, err
	}
	containers, err := s.calls.ListContainers(ctx, nil)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, sandbox := range sandboxes {
		ids[sandbox.Id] = true
	}
	for _, container := range containers {
		ids[container.Id] = true
	}
	return ids, nil
}
