package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// resourceMetrics answers with what autoscaling needs, in Prometheus' text format.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/
func (s *Server) resourceMetrics(w http.ResponseWriter, r *http.Request) {
	summary, err := s.summarize(r.Context(), false)
	if err != nil {
		klog.FromContext(r.Context()).Error(err, "Measuring what the node and its pods use")
		summary = nil
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(renderMetrics(summary))) // a client that went away
}

// scope is what a metric is of.
type scope int

const (
	ofNode scope = iota
	ofPods
	ofContainers
)

// subject is the node, a Pod or a container: what is known of it, and the labels that tell it from others.
type subject struct {
	labels  string
	cpu     *statsapi.CPUStats
	memory  *statsapi.MemoryStats
	swap    *statsapi.SwapStats
	started metav1.Time
}

// sample is a value and when it was measured, nil for one that does not change.
type sample struct {
	value float64
	at    *metav1.Time
}

type metric struct {
	name, kind, help string
	of               scope
	look             func(subject) (s sample, known bool)
}

// metrics are those that upstream has, in their order, with its words.
var metrics = []metric{
	{"container_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the container in core-seconds", ofContainers, cpuSeconds},
	{"container_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the container in bytes", ofContainers, workingSet},
	{"container_start_time_seconds", "gauge", "[STABLE] Start time of the container since unix epoch in seconds", ofContainers, startTime},
	{"container_swap_limit_bytes", "gauge", "[ALPHA] Current amount of the container swap limit in bytes. Reported only on non-windows systems", ofContainers, swapLimit},
	{"container_swap_usage_bytes", "gauge", "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems", ofContainers, swapUsage},
	{"node_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the node in core-seconds", ofNode, cpuSeconds},
	{"node_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the node in bytes", ofNode, workingSet},
	{"node_swap_usage_bytes", "gauge", "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems", ofNode, swapUsage},
	{"pod_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds", ofPods, cpuSeconds},
	{"pod_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the pod in bytes", ofPods, workingSet},
	{"pod_swap_usage_bytes", "gauge", "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems", ofPods, swapUsage},
}

func cpuSeconds(f subject) (sample, bool) {
	if f.cpu == nil || f.cpu.UsageCoreNanoSeconds == nil {
		return sample{}, false
	}
	return sample{float64(*f.cpu.UsageCoreNanoSeconds) / float64(time.Second), &f.cpu.Time}, true
}

func workingSet(f subject) (sample, bool) {
	if f.memory == nil || f.memory.WorkingSetBytes == nil {
		return sample{}, false
	}
	return sample{float64(*f.memory.WorkingSetBytes), &f.memory.Time}, true
}

func swapUsage(f subject) (sample, bool) {
	if f.swap == nil || f.swap.SwapUsageBytes == nil {
		return sample{}, false
	}
	return sample{float64(*f.swap.SwapUsageBytes), &f.swap.Time}, true
}

// swapLimit is what is used together with what may be used beside it.
func swapLimit(f subject) (sample, bool) {
	if f.swap == nil || f.swap.SwapAvailableBytes == nil {
		return sample{}, false
	}
	used, _ := swapUsage(f)
	return sample{float64(*f.swap.SwapAvailableBytes) + used.value, &f.swap.Time}, true
}

func startTime(f subject) (sample, bool) {
	return sample{value: float64(f.started.UnixNano()) / float64(time.Second)}, f.started.Unix() > 0
}

// renderMetrics writes a summary in the text format. All samples of a name stand together. No summary is an error's.
func renderMetrics(summary *statsapi.Summary) string {
	seen, failed := map[scope][]subject{}, 1
	if summary != nil {
		seen, failed = subjectsOf(summary), 0
	}
	var b strings.Builder
	for _, m := range metrics {
		head := fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		for _, f := range seen[m.of] {
			s, known := m.look(f)
			if !known {
				continue
			}
			b.WriteString(head + m.name + f.labels + " " + strconv.FormatFloat(s.value, 'g', -1, 64))
			if s.at != nil {
				b.WriteString(" " + strconv.FormatInt(s.at.UnixMilli(), 10))
			}
			b.WriteString("\n")
			head = ""
		}
	}
	fmt.Fprintf(&b, "# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise\n"+
		"# TYPE resource_scrape_error gauge\nresource_scrape_error %d\n", failed)
	return b.String()
}

func subjectsOf(summary *statsapi.Summary) map[scope][]subject {
	n := &summary.Node
	out := map[scope][]subject{ofNode: {{cpu: n.CPU, memory: n.Memory, swap: n.Swap}}}
	for i := range summary.Pods {
		p := &summary.Pods[i]
		pod := fmt.Sprintf("namespace=%q,pod=%q}", p.PodRef.Namespace, p.PodRef.Name)
		out[ofPods] = append(out[ofPods], subject{labels: "{" + pod, cpu: p.CPU, memory: p.Memory, swap: p.Swap})
		for j := range p.Containers {
			c := &p.Containers[j]
			out[ofContainers] = append(out[ofContainers], subject{
				labels: fmt.Sprintf("{container=%q,%s", c.Name, pod), cpu: c.CPU, memory: c.Memory, swap: c.Swap, started: c.StartTime,
			})
		}
	}
	return out
}
