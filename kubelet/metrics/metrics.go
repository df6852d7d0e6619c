// Package metrics are the kubelet's own, under upstream's names: counted where things happen, which costs next to nothing, or found out when
// somebody asks. Each kubelet has its own registry: in one process with an API server, what is asked for at the kubelet's port is the
// kubelet's, not the process's.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/component-base/metrics"
)

// Metrics are those of one kubelet. The methods of nil do nothing.
type Metrics struct {
	registry metrics.KubeRegistry
	pods     pods
	runtime  operations
	http     requests
	images   images
	node     node
	podsAPI  podsAPI
}

// New returns metrics of which nothing is counted yet.
func New(nodeName string) *Metrics {
	m := &Metrics{registry: metrics.NewKubeRegistry()}
	m.registry.RawMustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsAll)),
	)
	m.pods, m.runtime, m.http, m.images, m.node, m.podsAPI = m.newPods(), m.newOperations(), m.newRequests(), m.newImages(), m.newNode(), m.newPodsAPI()
	m.gauge("kubelet_node_name", "1, labelled with the name of this node.", "node").WithLabelValues(nodeName).Set(1)
	return m
}

// Handler serves all metrics, and those of others, if they are the kubelet's too.
func (m *Metrics) Handler(more ...prometheus.Gatherer) http.Handler {
	return metrics.HandlerFor(prometheus.Gatherers(append(more, m.registry)), metrics.HandlerOpts{ErrorHandling: metrics.ContinueOnError})
}

// Gatherer returns what Handler serves.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

func (m *Metrics) counter(name, help string, labels ...string) *metrics.CounterVec {
	c := metrics.NewCounterVec(&metrics.CounterOpts{Name: name, Help: help, StabilityLevel: metrics.ALPHA}, labels)
	m.registry.MustRegister(c)
	return c
}

// count is a counter without labels, which tells 0 from the beginning.
func (m *Metrics) count(name, help string) *metrics.Counter {
	c := metrics.NewCounter(&metrics.CounterOpts{Name: name, Help: help, StabilityLevel: metrics.ALPHA})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string, labels ...string) *metrics.GaugeVec {
	g := metrics.NewGaugeVec(&metrics.GaugeOpts{Name: name, Help: help, StabilityLevel: metrics.ALPHA}, labels)
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *metrics.HistogramVec {
	h := metrics.NewHistogramVec(&metrics.HistogramOpts{Name: name, Help: help, Buckets: buckets, StabilityLevel: metrics.ALPHA}, labels)
	m.registry.MustRegister(h)
	return h
}
