// Package guard starts goroutines whose panics end only their own work. Everything in this module runs in one process with
// etcd and the API server, so a bare go statement anywhere could end them all: hack/guarded refuses those outside this package.
package guard

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
)

var panics = metrics.NewCounterVec(&metrics.CounterOpts{
	Name:           "coracle_panics_total",
	Help:           "Panics that ended only the work named here; each is in the log with its stack",
	StabilityLevel: metrics.ALPHA,
}, []string{"work"})

// RegisterMetrics is for the process, not for each cluster in it: registered again is no error.
func RegisterMetrics() { _ = legacyregistry.Register(panics) }

// Panic is the error that a recovered panic becomes.
type Panic struct {
	Work  string
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic in %s: %v", p.Work, p.Value) }

// Unwrap gives the panic's value where that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Call calls f and returns its error. A panic of f is counted, logged with its stack and returned as a *Panic; runtime.Goexit
// passes. work names what f does, in few words that do not vary between objects: it is a label of a metric.
func Call(work string, f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = Recovered(work, value)
		}
	}()
	if fault := faults.Load(); fault != nil {
		(*fault)(work)
	}
	return f()
}

// Count is for panics that somebody else recovers and logs.
func Count(work string) { panics.WithLabelValues(work).Inc() }

// Recovered is for those who recover themselves: it counts and logs a panic as Call does.
func Recovered(work string, value any) *Panic {
	p := &Panic{Work: work, Value: value, Stack: debug.Stack()}
	Count(work)
	klog.ErrorS(p, "Recovered", "work", work, "stack", string(p.Stack))
	return p
}

// Do is Call for what returns nothing. It returns true if f ended without a panic.
func Do(work string, f func()) bool {
	return Call(work, func() error { f(); return nil }) == nil
}

// Insist is Do for what nobody would do again: hearing of an informer's event, waking who waits. After a panic it calls f once more, at
// once; what panics twice is lost.
func Insist(work string, f func()) bool { return Do(work, f) || Do(work, f) }

// Func gives f as Call calls it, for an errgroup and the like.
func Func(work string, f func() error) func() error {
	return func() error { return Call(work, f) }
}

// Go runs f on a goroutine of its own. A panic ends that goroutine and nothing else: what must go on belongs to GoKeep or
// Together, what somebody waits for to GoThen.
func Go(work string, f func()) { go Do(work, f) }

// GoThen runs f on a goroutine of its own, and then calls then with what Call returns. It does so however f ends, and where f never
// begins: what others wait for belongs there, and not into defer statements of f.
func GoThen(work string, f func() error, then func(error)) { go ending(work, f, then) }

// GoKeep runs f on a goroutine of its own as Keep does.
func GoKeep(ctx context.Context, work string, f func(context.Context)) { go Keep(ctx, work, f) }

func ending(work string, f func() error, then func(error)) {
	err := errors.New(work + " ended its goroutine") // by runtime.Goexit, as failing tests do
	defer func() {
		if value := recover(); value != nil {
			Recovered(work, value)
		}
	}()
	defer func() { then(err) }()
	err = Call(work, f)
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
	// What ran for this long begins with the first pause again.
	steady = time.Minute
)

// Keep calls f, and again after each panic, with pauses that grow from 100 ms to 30 s, until f returns or ctx has ended.
// f must be able to begin again: what it shares with others is as the panic left it.
func Keep(ctx context.Context, work string, f func(context.Context)) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		began := time.Now()
		if Do(work, func() { f(ctx) }) {
			return
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Group waits for goroutines, as sync.WaitGroup does, whose panics end only themselves. The zero Group is ready.
type Group struct{ running sync.WaitGroup }

// Go runs f as the function Go does.
func (g *Group) Go(work string, f func()) { g.running.Go(func() { Do(work, f) }) }

// GoThen runs f and then as the function GoThen does.
func (g *Group) GoThen(work string, f func() error, then func(error)) {
	g.running.Go(func() { ending(work, f, then) })
}

// Keep runs f on a goroutine of its own as the function Keep does.
func (g *Group) Keep(ctx context.Context, work string, f func(context.Context)) {
	g.running.Go(func() { Keep(ctx, work, f) })
}

// Wait returns when all have ended.
func (g *Group) Wait() { g.running.Wait() }

// Task is one of several that run side by side. Run blocks until ctx ends.
type Task struct {
	Work string
	Run  func(context.Context) error
}

// Together runs all tasks, cancels their context when the first ends (with or without an error, or by a panic), and returns
// that one's error when all have ended: nil only if the first returned nil.
func Together(ctx context.Context, tasks ...Task) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(tasks))
	for _, t := range tasks {
		GoThen(t.Work, func() error { return t.Run(ctx) }, func(err error) { ended <- err })
	}
	var first error
	for i := range tasks {
		err := <-ended // canceled: the first error is the reason
		if i == 0 {
			first = err
			cancel()
		}
	}
	return first
}

// faults, where set, is called before each guarded function, and may panic.
var faults atomic.Pointer[func(work string)]

// InjectFaults is for tests: f is called before each guarded function, on its goroutine, and panics where that one is to fail.
// The function that it returns ends this.
func InjectFaults(f func(work string)) (end func()) {
	faults.Store(&f)
	return func() { faults.Store(nil) }
}
