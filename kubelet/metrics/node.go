package metrics

import (
	"time"

	"k8s.io/component-base/metrics"
)

// node are metrics of what is done to the node, and of what it does to Pods.
type node struct {
	evictions *metrics.CounterVec
	groups    *metrics.HistogramVec
}

func (m *Metrics) newNode() node {
	return node{
		evictions: m.counter("kubelet_evictions", "Pods that were evicted, by the signal that fell below its threshold.", "eviction_signal"),
		groups:    m.histogram("kubelet_cgroup_manager_duration_seconds", "Time that a change of control groups took, by what was done.", metrics.DefBuckets, "operation_type"),
	}
}

// Evicted counts a Pod that goes for that signal.
func (m *Metrics) Evicted(signal string) {
	if m != nil {
		m.node.evictions.WithLabelValues(signal).Inc()
	}
}

// Group counts what was done to a control group since then: create, update or destroy.
func (m *Metrics) Group(operation string, since time.Time) {
	if m != nil {
		m.node.groups.WithLabelValues(operation).Observe(time.Since(since).Seconds())
	}
}

// images are metrics of what the node has images for.
type images struct {
	pulls                            *metrics.HistogramVec
	collected                        *metrics.CounterVec
	requested, mounted, mountsFailed *metrics.Counter
}

func (m *Metrics) newImages() images {
	return images{
		pulls: m.histogram("kubelet_image_pull_duration_seconds", "Time that a pull took, waiting for its turn included, by size of the image.",
			[]float64{1, 5, 10, 20, 30, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600}, "image_size_in_bytes"),
		collected:    m.counter("kubelet_image_garbage_collected_total", "Images that were removed because nothing used them, by reason.", "reason"),
		requested:    m.count("kubelet_image_volume_requested_total", "Image volumes that Pods asked for."),
		mounted:      m.count("kubelet_image_volume_mounted_succeed_total", "Image volumes that were mounted."),
		mountsFailed: m.count("kubelet_image_volume_mounted_errors_total", "Image volumes that could not be mounted."),
	}
}

// sizes are the classes of images' sizes, each from so many bytes on.
var sizes = []struct {
	above uint64
	label string
}{
	{100 << 30, "GT100GB"}, {60 << 30, "60GB-100GB"}, {40 << 30, "40GB-60GB"}, {30 << 30, "30GB-40GB"}, {20 << 30, "20GB-30GB"}, {10 << 30, "10GB-20GB"},
	{5 << 30, "5GB-10GB"}, {1 << 30, "1GB-5GB"}, {500 << 20, "500MB-1GB"}, {100 << 20, "100MB-500MB"}, {10 << 20, "10MB-100MB"}, {0, "0-10MB"},
}

// sizeOf is the class of an image's size; 0 is not known.
func sizeOf(bytes uint64) string {
	for _, s := range sizes {
		if bytes > s.above {
			return s.label
		}
	}
	return "N/A"
}

// Pulled counts an image that was pulled, with the time that it waited for its turn.
func (m *Metrics) Pulled(took time.Duration, bytes uint64) {
	if m != nil {
		m.images.pulls.WithLabelValues(sizeOf(bytes)).Observe(took.Seconds())
	}
}

// ImageRemoved counts an image that made place.
func (m *Metrics) ImageRemoved() {
	if m != nil {
		m.images.collected.WithLabelValues("space").Inc()
	}
}

// ImageVolume counts a volume that is an image's.
func (m *Metrics) ImageVolume(err error) {
	if m == nil {
		return
	}
	m.images.requested.Inc()
	if err != nil {
		m.images.mountsFailed.Inc()
		return
	}
	m.images.mounted.Inc()
}
