package probes

import (
	"net/http"
	"time"

	"k8s.io/component-base/metrics"
)

// counts are upstream's metrics of probes, in a registry of their own: they have a series for each container, which goes with it.
type counts struct {
	registry metrics.KubeRegistry
	total    *metrics.CounterVec
	duration *metrics.HistogramVec
}

func newCounts() *counts {
	c := &counts{registry: metrics.NewKubeRegistry(), total: metrics.NewCounterVec(&metrics.CounterOpts{
		Subsystem:      "prober",
		Name:           "probe_total",
		Help:           "Cumulative number of a liveness, readiness or startup probe for a container by result.",
		StabilityLevel: metrics.BETA,
	}, []string{"probe_type", "result", "container", "pod", "namespace", "pod_uid"}), duration: metrics.NewHistogramVec(&metrics.HistogramOpts{
		Subsystem:      "prober",
		Name:           "probe_duration_seconds",
		Help:           "Duration in seconds for a probe response.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"probe_type", "container", "pod", "namespace"})}
	c.registry.MustRegister(c.total, c.duration)
	return c
}

// Metrics serves them.
func (p *Probes) Metrics() http.Handler {
	return metrics.HandlerFor(p.counts.registry, metrics.HandlerOpts{})
}

// results are outcomes as metrics have them.
var results = map[Outcome]string{Healthy: "successful", Warned: "successful", Unhealthy: "failed", Broken: "unknown"}

func (c *counts) labels(t Target, kind Kind, result string) map[string]string {
	return map[string]string{
		"probe_type": string(kind), "result": result, "container": t.Container.Name,
		"pod": t.Pod.Name, "namespace": t.Pod.Namespace, "pod_uid": string(t.Pod.UID),
	}
}

func (c *counts) count(t Target, kind Kind, outcome Outcome, took time.Duration) {
	c.total.With(c.labels(t, kind, results[outcome])).Inc()
	if outcome == Unhealthy {
		return // as upstream: a probe that timed out took as long as it may
	}
	c.duration.With(durationLabels(t, kind)).Observe(took.Seconds())
}

func durationLabels(t Target, kind Kind) map[string]string {
	return map[string]string{"probe_type": string(kind), "container": t.Container.Name, "pod": t.Pod.Name, "namespace": t.Pod.Namespace}
}

func (c *counts) forget(t Target, kind Kind) {
	for _, result := range []string{"successful", "failed", "unknown"} {
		c.total.Delete(c.labels(t, kind, result))
	}
	c.duration.Delete(durationLabels(t, kind))
}
