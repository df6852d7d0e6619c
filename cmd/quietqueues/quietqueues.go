// Package quietqueues keeps the work queues of libraries from waking an idle process: twice a second each, for metrics.
//
// client-go takes the first provider of metrics that it is given, and other libraries give theirs while they are
// initialized. So importing this package has an effect, as it is with theirs. Go initializes it before them: it needs
// less than they do, and packages that are ready come in the order of their paths.
package quietqueues

import (
	"runtime"

	"k8s.io/client-go/util/workqueue"
)

func init() { workqueue.SetProvider(provider{}) }

// provider gives named queues metrics that nobody reads.
type provider struct{}

func (provider) NewDepthMetric(string) workqueue.GaugeMetric                         { return nothing{} }
func (provider) NewAddsMetric(string) workqueue.CounterMetric                        { return nothing{} }
func (provider) NewLatencyMetric(string) workqueue.HistogramMetric                   { return nothing{} }
func (provider) NewWorkDurationMetric(string) workqueue.HistogramMetric              { return nothing{} }
func (provider) NewUnfinishedWorkSecondsMetric(string) workqueue.SettableGaugeMetric { return last{} }
func (provider) NewRetriesMetric(string) workqueue.CounterMetric                     { return nothing{} }

func (provider) NewLongestRunningProcessorSecondsMetric(string) workqueue.SettableGaugeMetric {
	return last{}
}

type nothing struct{}

func (nothing) Inc()            {}
func (nothing) Dec()            {}
func (nothing) Observe(float64) {}

// last is a gauge that is set once: setting it ends the goroutine that does nothing else, every half second.
type last struct{}

func (last) Set(float64) { runtime.Goexit() }
