package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// resourceMetrics answers with what autoscaling needs, in Prometheus' text format.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/
func (s *Server) resourceMetrics(w http.ResponseWriter, r *http.Request) {
	seen, err := s.look(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	used := machineUsage()
	var m metrics
	m.add("node_cpu_usage_seconds_total", "counter", "", float64(used.cpuNanoseconds)/1e9, time.Time{})
	m.add("node_memory_working_set_bytes", "gauge", "", float64(used.memoryUsed), time.Time{})
	for _, stats := range seen.stats {
		p := seen.podStats(stats)
		pod := fmt.Sprintf("namespace=%q,pod=%q", p.PodRef.Namespace, p.PodRef.Name)
		m.usage("pod", pod, p.CPU, p.Memory)
		for _, c := range p.Containers {
			m.usage("container", fmt.Sprintf("container=%q,%s", c.Name, pod), c.CPU, c.Memory)
		}
	}
	m.add("resource_scrape_error", "gauge", "", 0, time.Time{})
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(m.String())) // a client that went away
}

// metrics collects samples by name: all samples of a name must stand together.
type metrics struct {
	names   []string
	kinds   map[string]string
	samples map[string][]string
}

func (m *metrics) usage(of, labels string, c *statsapi.CPUStats, mem *statsapi.MemoryStats) {
	if c != nil && c.UsageCoreNanoSeconds != nil {
		m.add(of+"_cpu_usage_seconds_total", "counter", labels, float64(*c.UsageCoreNanoSeconds)/1e9, c.Time.Time)
	}
	if mem != nil && mem.WorkingSetBytes != nil {
		m.add(of+"_memory_working_set_bytes", "gauge", labels, float64(*mem.WorkingSetBytes), mem.Time.Time)
	}
}

func (m *metrics) add(name, kind, labels string, v float64, t time.Time) {
	if m.samples == nil {
		m.samples, m.kinds = map[string][]string{}, map[string]string{}
	}
	if _, ok := m.samples[name]; !ok {
		m.names = append(m.names, name)
		m.kinds[name] = kind
	}
	line := name
	if labels != "" {
		line += "{" + labels + "}"
	}
	line += " " + strconv.FormatFloat(v, 'g', -1, 64)
	if !t.IsZero() {
		line += " " + strconv.FormatInt(t.UnixMilli(), 10)
	}
	m.samples[name] = append(m.samples[name], line)
}

// String is the text format.
func (m *metrics) String() string {
	var b strings.Builder
	for _, name := range m.names {
		fmt.Fprintf(&b, "# TYPE %s %s\n", name, m.kinds[name])
		for _, line := range m.samples[name] {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
