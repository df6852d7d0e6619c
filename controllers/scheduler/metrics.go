package scheduler

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
)

// metrics count attempts under the names that upstream's scheduler uses.
type metrics struct {
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	sli      prometheus.Histogram
}

func newMetrics() *metrics {
	seconds := prometheus.ExponentialBuckets(0.001, 2, 15)
	return &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scheduler_schedule_attempts_total", Help: "Number of attempts to schedule pods, by the result.",
		}, []string{"result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scheduler_scheduling_attempt_duration_seconds", Help: "Time to choose a node, without binding.", Buckets: seconds,
		}, []string{"result"}),
		sli: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "scheduler_pod_scheduling_sli_duration_seconds", Help: "Time from first queueing to binding of a pod.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 20),
		}),
	}
}

// Collectors are the scheduler's metrics, for the caller to register.
func (s *Scheduler) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.attempts, s.metrics.duration, s.metrics.sli}
}

type timer struct {
	metrics *metrics
	start   time.Time
}

func (m *metrics) begin() timer { return timer{metrics: m, start: time.Now()} }

func (t timer) end(err error) {
	result := "scheduled"
	var r *rejection
	switch {
	case errors.As(err, &r), errors.Is(err, errNoNodes):
		result = "unschedulable"
	case err != nil:
		result = "error"
	}
	t.metrics.attempts.WithLabelValues(result).Inc()
	t.metrics.duration.WithLabelValues(result).Observe(time.Since(t.start).Seconds())
}

func (m *metrics) bound(item *queue.Item) { m.sli.Observe(time.Since(item.Since).Seconds()) }
