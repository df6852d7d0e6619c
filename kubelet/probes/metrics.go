package probes

import (
	"net/http"

	"k8s.io/component-base/metrics"
)

// counts are upstream's metrics of probes, in a registry of their own: they have a series for each container, which goes with it.
type counts struct {
	registry metrics.KubeRegistry
	total    *metrics.CounterVec
}

func newCounts() *counts {
	c := &counts{registry: metrics.NewKubeRegistry(), total: metrics.NewCounterVec(&metrics.CounterOpts{
		Subsystem:      "prober",
		Name:           "probe_total",
		Help:           "Cumulative number of a liveness, readiness or startup probe for a container by result.",
		StabilityLevel: metrics.BETA,
	}, []string{"probe_type", "result", "container", "pod", "namespace", "pod_uid"})}
	c.registry.MustRegister(c.total)
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

func (c *counts) count(t Target, kind Kind, outcome Outcome) {
	c.total.With(c.labels(t, kind, results[outcome])).Inc()
}

func (c *counts) forget(t Target, kind Kind) {
	for _, result := range []string{"successful", "failed", "unknown"} {
		c.total.Delete(c.labels(t, kind, result))
	}
}
