// Package part runs the parts of a process side by side, each again when it ends, and shows their metrics.
package part

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// Part of a process: controllers, scheduler, kubelet, proxy. Run blocks until ctx ends.
type Part struct {
	Name string
	Run  func(ctx context.Context) error
}

const (
	firstPause = 500 * time.Millisecond
	lastPause  = 30 * time.Second
	// A part that ran for this long begins with the first pause again.
	steady = time.Minute
)

var restarts = metrics.NewCounterVec(&metrics.CounterOpts{
	Name:           "coracle_part_restarts_total",
	Help:           "How often a part of the process (controllers, scheduler, kubelet, proxy) failed as a whole and was started again",
	StabilityLevel: metrics.ALPHA,
}, []string{"part"})

// registerMetrics is for the process, not for each cluster in it: registered again is no error.
func registerMetrics() {
	_ = legacyregistry.Register(restarts)
	guard.RegisterMetrics()
}

// containLibraries makes panics in libraries' workers, informers' handlers among them, end what they were doing and not the
// process: client-go recovers them, and would throw them again.
var containLibraries = sync.OnceFunc(func() {
	utilruntime.ReallyCrash = false
	utilruntime.PanicHandlers = append(utilruntime.PanicHandlers, func(context.Context, any) { guard.Count("library") })
})

// Prepare touches what is global to the process. Doing it again is harmless.
func Prepare() {
	containLibraries()
	registerMetrics()
}

// KeepRunning runs the part. If it ends before ctx does, with an error or a panic, it is run again, so that no part takes
// the others down with it. It returns when ctx has ended and the part with it.
func (p Part) KeepRunning(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		began := time.Now()
		err := p.runOnce(ctx)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				klog.ErrorS(err, "Stopping", "part", p.Name)
			}
			return
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		restarts.WithLabelValues(p.Name).Inc()
		klog.ErrorS(err, "A part of the process ended and is started again", "part", p.Name, "after", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (p Part) runOnce(ctx context.Context) error {
	if err := guard.Call(p.Name, func() error { return p.Run(ctx) }); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return errors.New("ended by itself")
	}
	return nil
}

// Expose adds metrics to those of the process until the function that it returns is called. Of several clusters in one process
// the first exposes its own.
func Expose(collectors []prometheus.Collector) (hide func()) {
	registry := legacyregistry.Registerer()
	var exposed []prometheus.Collector
	for _, c := range collectors {
		if registry.Register(c) == nil {
			exposed = append(exposed, c)
		}
	}
	return func() {
		for _, c := range exposed {
			registry.Unregister(c)
		}
	}
}

// Metrics are this program's own of the process: parts that were run again, panics that were contained.
func Metrics() prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		all, err := legacyregistry.DefaultGatherer.Gather()
		return slices.DeleteFunc(all, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "coracle_") }), err
	})
}
