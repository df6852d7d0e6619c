package cluster

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
)

// part of a cluster: controllers, scheduler, kubelet, proxy. run blocks until ctx ends; if it ends before, with an error or a
// panic, it is run again, so that no part takes the others down with it.
type part struct {
	name string
	run  func(ctx context.Context) error
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
func registerMetrics() { _ = legacyregistry.Register(restarts) }

// keepRunning returns when ctx has ended and the part with it.
func (p part) keepRunning(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		began := time.Now()
		err := p.runOnce(ctx)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				klog.ErrorS(err, "Stopping", "part", p.name)
			}
			return
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		restarts.WithLabelValues(p.name).Inc()
		klog.ErrorS(err, "A part of the cluster ended and is started again", "part", p.name, "after", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (p part) runOnce(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in %s: %v\n%s", p.name, r, debug.Stack())
		}
	}()
	if err := p.run(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return errors.New("ended by itself")
	}
	return nil
}

// together runs all parts, ends them when the first ends, and returns when all have ended.
func together(ctx context.Context, parts ...part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(parts))
	for _, p := range parts {
		go func() { ended <- p.runOnce(ctx) }()
	}
	first := <-ended
	cancel()
	for range len(parts) - 1 {
		<-ended // canceled: the first error is the reason
	}
	return first
}

// expose adds metrics to those of the process until the function that it returns is called. Of several clusters in one process
// the first exposes its own.
func expose(collectors []prometheus.Collector) (hide func()) {
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
