// Package loop is how every controller's reconciler is put on the manager: one set of options for all of them.
package loop

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 1000 * time.Second
)

// New starts the declaration of a controller with the given number of workers. Failures of one object are retried
// with exponential back-off as upstream's controllers do. Names need not be unique in the process: several clusters
// may live in it.
func New(mgr manager.Manager, name string, workers int) *builder.Builder {
	return WithRetries(mgr, name, workers, firstRetry, lastRetry)
}

// WithRetries is New with another back-off.
func WithRetries(mgr manager.Manager, name string, workers int, first, last time.Duration) *builder.Builder {
	return builder.ControllerManagedBy(mgr).Named(name).WithOptions(controller.Options{
		SkipNameValidation:      ptr.To(true),
		NeedLeaderElection:      ptr.To(true),
		RecoverPanic:            ptr.To(true),
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](first, last),
		NewQueue:                NewQueue[reconcile.Request],
	})
}

// NewQueue makes a queue without a name, which is one without metrics: a queue with metrics wakes up twice a second for
// as long as it lives. Depth and work are still seen through controller-runtime's own reconcile metrics, which cost
// nothing while nothing happens.
func NewQueue[T comparable](_ string, limiter workqueue.TypedRateLimiter[T]) workqueue.TypedRateLimitingInterface[T] {
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[T]{Clock: timers{}})
}

// timers is the time, without tickers: beside the timer that it sets for what it delays, a queue would wake up every ten
// seconds, lest the clock jumped. Timers follow a clock that does not.
type timers struct{ clock.RealClock }

func (timers) NewTicker(time.Duration) clock.Ticker { return silent{} }

type silent struct{}

func (silent) C() <-chan time.Time { return nil }
func (silent) Stop()               {}
