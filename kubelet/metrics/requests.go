package metrics

import (
	"net/http"
	"strconv"
	"time"

	"k8s.io/component-base/metrics"
)

// requests are metrics of the kubelet's server.
type requests struct {
	total    *metrics.CounterVec
	duration *metrics.HistogramVec
	inflight *metrics.GaugeVec
}

func (m *Metrics) newRequests() requests {
	labels := []string{"method", "path", "server_type", "long_running"}
	return requests{
		total:    m.counter("kubelet_http_requests_total", "Requests to the kubelet's port, by what was asked.", labels...),
		duration: m.histogram("kubelet_http_requests_duration_seconds", "Time that answers at the kubelet's port took.", metrics.DefBuckets, labels...),
		inflight: m.gauge("kubelet_http_inflight_requests", "Requests to the kubelet's port that are being answered.", labels...),
	}
}

// longRunning are the paths of requests that take as long as somebody likes.
var longRunning = map[string]bool{"exec": true, "attach": true, "portForward": true, "debug": true}

// Request counts a request of a path's kind until the function that it returns is called.
func (m *Metrics) Request(method, path string) (end func()) {
	if m == nil {
		return func() {}
	}
	began := time.Now()
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
	default:
		method = "other"
	}
	labels := []string{method, path, "readwrite", strconv.FormatBool(longRunning[path])}
	m.http.total.WithLabelValues(labels...).Inc()
	inflight := m.http.inflight.WithLabelValues(labels...)
	inflight.Inc()
	return func() {
		inflight.Dec()
		m.http.duration.WithLabelValues(labels...).Observe(time.Since(began).Seconds())
	}
}
