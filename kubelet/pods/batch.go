package pods

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

// batch is actions under way.
type batch struct {
	cancel   context.CancelFunc
	done     chan struct{}
	stopping bool
	grace    int64
}

// underWay is the batch that has not ended, nil where there is none.
func (w *worker) underWay() *batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.batch == nil {
		return nil
	}
	select {
	case <-w.batch.done:
		return nil
	default:
		return w.batch
	}
}

// act carries out the plan beside the loop. While b, the batch that was under way when the worker looked at the runtime, did what it did,
// the picture was not a whole one: the end of the batch makes the worker look again. It may be made to end sooner.
func (w *worker) act(ctx context.Context, f facts, p plan, b *batch) (again time.Duration, gone bool, err error) {
	grace := graceSeconds(f.pod)
	if b != nil {
		if p.finishing && (!b.stopping || grace < b.grace) {
			b.cancel()
		}
		return p.wake, false, nil
	}
	began := time.Now()
	if p.done {
		gone, err = w.conclude(ctx, f)
		if gone && err == nil {
			w.Metrics.Worked(metrics.Terminated, began)
		}
		return p.wake, gone, err
	}
	due, left := w.due(f, p)
	if len(due) > 0 {
		w.begin(ctx, f, due, p.finishing, grace)
	}
	return sooner(p.wake, left), false, nil
}

// due are the actions to carry out now, and how long the others wait that failed before.
func (w *worker) due(f facts, p plan) (due []action, left time.Duration) {
	actions := p.actions
	if !p.finishing && w.mustKeepVolumes(f) {
		actions = append(actions[:len(actions):len(actions)], keepVolumes{})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	due, left = w.pauses.due(actions, time.Now())
	if last := len(due) - 1; last > 0 && due[last] == (keepVolumes{}) {
		due = due[:last] // what starts a container takes the volumes over, too
	}
	return due, left
}

// mustKeepVolumes tells whether the Pod runs since before this process: its volumes must be taken over, or nothing keeps
// them up to date.
func (w *worker) mustKeepVolumes(f facts) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.volumesKept && f.runtime.HasReadySandbox()
}

// begin starts a batch. When it ends the worker looks again; what failed is not tried again before a pause.
func (w *worker) begin(ctx context.Context, f facts, actions []action, finishing bool, grace int64) {
	ctx, cancel := context.WithCancel(ctx)
	b := &batch{cancel: cancel, done: make(chan struct{}), stopping: finishing, grace: grace}
	w.mu.Lock()
	w.batch = b
	w.mu.Unlock()
	w.Manager.running.GoThen("batch of a pod's actions", func() error { w.carryOut(ctx, f, actions); return nil }, func(error) {
		cancel()
		close(b.done)
		w.poke()
	})
}

// carryOut takes one action after the other. Without a sandbox nothing more can be done; a container that could not be stopped is not
// started; nothing else that fails holds up the rest.
func (w *worker) carryOut(ctx context.Context, f facts, actions []action) {
	defer w.Metrics.Worked(kindOf(actions), time.Now())
	run := &run{worker: w, pod: f.pod, observed: f.runtime}
	unstopped := map[string]bool{}
	for _, a := range actions {
		if start, is := a.(startContainer); is && unstopped[start.spec.Name] {
			continue
		}
		err := guard.Call("pod action", func() error { return run.do(ctx, a) })
		if ctx.Err() != nil {
			return
		}
		w.tried(a, err)
		if err == nil {
			continue
		}
		klog.FromContext(ctx).Error(err, "Pod step failed")
		switch a := a.(type) {
		case startSandbox:
			return
		case stopContainer:
			unstopped[a.spec.Name] = true
		}
	}
}

// kindOf is what actions are counted as.
func kindOf(actions []action) string {
	for _, a := range actions {
		if _, is := a.(startSandbox); is {
			return metrics.Create
		}
	}
	return metrics.Update
}

// tried remembers how an action ended.
func (w *worker) tried(a action, failure error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if failure == nil {
		delete(w.pauses, a.key())
		return
	}
	w.pauses.failed(a.key(), failure, time.Now())
}

// resetRetry ends all pauses because what failed may work now.
func (w *worker) resetRetry() {
	w.mu.Lock()
	clear(w.pauses)
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
