package kubelet

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

const (
	// sweepPause is between a failure in the runtime and a look at what it left, and between tries.
	sweepPause = 10 * time.Second
	// sweepRest is between calls that did not fail and a look at what was left nevertheless, as by shims that were killed.
	sweepRest = 40 * time.Second
)

// Sweep removes what the runtime made for Pods before a time and that is not known. known is to be asked after looking.
type Sweep func(ctx context.Context, before time.Time, known func(context.Context) (map[string]bool, error)) error

// sweeper removes what is left in the runtime: once at the start, as an earlier process may not have outlived its calls, soon after each
// call that failed, and a while after others. Where nothing happens it does nothing.
type sweeper struct {
	calls  *runtime.Whole
	failed chan struct{}
	ended  chan struct{}
	sweep  Sweep
}

func newSweeper(calls *runtime.Whole, sweep Sweep) *sweeper {
	s := &sweeper{calls: calls, failed: make(chan struct{}, 1), ended: make(chan struct{}, 1), sweep: sweep}
	calls.Ended = func(err error) {
		poke(s.ended)
		if err != nil {
			poke(s.failed)
		}
	}
	return s
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	poke(s.failed)
	for {
		rest := time.Duration(0)
		select {
		case <-ctx.Done():
			return
		case <-s.ended:
			rest = sweepRest - sweepPause
		case <-s.failed:
		}
		if rest > 0 {
			select {
			case <-ctx.Done():
				return
			case <-s.failed:
			case <-time.After(rest):
			}
		}
		select { // calls that have ended by now are seen to
		case <-s.ended:
		default:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
		}
		s.once(ctx)
	}
}

func (s *sweeper) once(ctx context.Context) {
	// What was begun a moment ago may go on in the runtime, though the call has failed.
	before := s.calls.Before()
	if latest := time.Now().Add(-sweepPause / 2); latest.Before(before) {
		before = latest
	}
	if err := s.sweep(ctx, before, s.known); err != nil && ctx.Err() == nil {
		klog.FromContext(ctx).Error(err, "Removing what is left in the runtime, trying again", "after", sweepPause)
		poke(s.failed)
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
