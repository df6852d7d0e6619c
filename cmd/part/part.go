// Package part runs the parts of a process side by side, each again when it ends, and shows their metrics.
package part

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

// RegisterMetrics is for the process, not for each cluster in it: registered again is no error.
func RegisterMetrics() { _ = legacyregistry.Register(restarts) }

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

func (p Part) runOnce(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in %s: %v\n%s", p.Name, r, debug.Stack())
		}
	}()
	if err := p.Run(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return errors.New("ended by itself")
	}
	return nil
}

// Together runs all parts, ends them when the first ends, and returns its error when all have ended.
func Together(ctx context.Context, parts ...Part) error {
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
