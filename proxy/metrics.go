package proxy

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coracle-k8s/coracle/proxy/iptables"
)

// metrics measure changes of the rules, under upstream's names where it has them.
type metrics struct {
	duration prometheus.Histogram
	failures prometheus.Counter
	last     prometheus.Gauge
	chains   prometheus.Gauge
	written  prometheus.Counter
	restored prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kubeproxy_sync_proxy_rules_duration_seconds", Help: "Time to make the kernel's rules match.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kubeproxy_sync_proxy_rules_iptables_restore_failures_total", Help: "Number of failed changes of the rules.",
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kubeproxy_sync_proxy_rules_last_timestamp_seconds", Help: "When the rules last matched.",
		}),
		chains: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "coracle_proxy_chains", Help: "Number of chains.",
		}),
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "coracle_proxy_chains_changed_total", Help: "Number of chains that were written or deleted.",
		}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "coracle_proxy_rules_restored_total", Help: "Number of times that rules were put back which others had changed or removed.",
		}),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.duration, m.failures, m.last, m.chains, m.written, m.restored}
}

func (m *metrics) synced(start time.Time, stats iptables.Stats, err error) {
	if err != nil {
		m.failures.Inc()
		return
	}
	if stats.Restored > 0 {
		m.restored.Inc()
	}
	m.duration.Observe(time.Since(start).Seconds())
	m.last.SetToCurrentTime()
	m.chains.Set(float64(stats.Chains))
	m.written.Add(float64(stats.Written + stats.Deleted))
}
