package pods

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"k8s.io/klog/v2"
)

// batch is actions under way.
type batch struct {
	cancel   context.CancelFunc
	done     chan struct{}
	stopping bool
	grace    int64
}

// act carries out the plan beside the loop, unless a batch is under way that need not make way for it.
func (w *worker) act(ctx context.Context, f facts, p plan) (again time.Duration, gone bool, err error) {
	grace := graceSeconds(f.pod)
	w.mu.Lock()
	b := w.batch
	w.mu.Unlock()
	if b != nil {
		select {
		case <-b.done:
		default:
			if p.finishing && (!b.stopping || grace < b.grace) {
				b.cancel()
			}
			return p.wake, false, nil
		}
	}
	switch {
	case p.done:
		gone, err = w.conclude(ctx, f)
		return p.wake, gone, err
	case len(p.actions) == 0 && !w.mustKeepVolumes(f):
		return p.wake, false, nil
	case len(p.actions) == 0:
		p.actions = []action{keepVolumes{}}
	}
	w.mu.Lock()
	paused := w.paused != nil
	w.mu.Unlock()
	if paused && !p.finishing {
		return p.wake, false, nil
	}
	w.begin(ctx, f, p, grace)
	return p.wake, false, nil
}

// mustKeepVolumes tells whether the Pod runs since before this process: its volumes must be taken over, or nothing keeps
// them up to date.
func (w *worker) mustKeepVolumes(f facts) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.volumesKept && f.runtime.HasReadySandbox()
}

// begin starts a batch. When it ends the worker looks again; after a failure not before a pause.
func (w *worker) begin(ctx context.Context, f facts, p plan, grace int64) {
	ctx, cancel := context.WithCancel(ctx)
	b := &batch{cancel: cancel, done: make(chan struct{}), stopping: p.finishing, grace: grace}
	w.mu.Lock()
	w.batch = b
	w.mu.Unlock()
	w.Manager.running.Go(func() {
		defer w.poke()
		defer close(b.done)
		defer cancel()
		err := w.carryOut(ctx, f, p)
		if err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Pod step failed")
		}
		if ctx.Err() != nil {
			err = nil
		}
		w.rest(err)
	})
}

// rest begins a pause after a batch that failed, longer each time.
func (w *worker) rest(failure error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused != nil {
		w.paused.Stop()
		w.paused = nil
	}
	if failure == nil {
		w.pause = 0
		return
	}
	w.pause = min(max(2*w.pause, firstRetry), lastRetry)
	pause := w.pause
	var why *Reasoned
	if errors.As(failure, &why) && strings.HasSuffix(why.Reason, "BackOff") {
		pause = max(pause, time.Until(why.Retry))
	}
	w.paused = time.AfterFunc(pause, w.resume)
}

// resume ends the pause after a failure.
func (w *worker) resume() {
	w.mu.Lock()
	w.paused = nil
	w.mu.Unlock()
	w.poke()
}

// resetRetry ends the pause because what failed may work now.
func (w *worker) resetRetry() {
	w.mu.Lock()
	if w.paused != nil {
		w.paused.Stop()
		w.paused = nil
	}
	w.pause = 0
	w.mu.Unlock()
	w.poke()
}

// halt waits for the batch under way, whose context has ended with the worker's.
func (w *worker) halt() {
	w.mu.Lock()
	b := w.batch
	w.mu.Unlock()
	if b != nil {
		<-b.done
	}
}

func (w *worker) carryOut(ctx context.Context, f facts, p plan) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(err, fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	run := &run{worker: w, pod: f.pod, observed: f.runtime}
	for _, a := range p.actions {
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if e := run.do(ctx, a); e != nil {
			err = errors.Join(err, e)
			if _, next := a.(startContainer); !next {
				return err
			}
		}
	}
	return err
}
