package metrics

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// sample is what a container or a node had used up to a moment, and what it held then. Since when is not known of nodes.
type sample struct {
	at     time.Time
	since  time.Time
	cpu    float64 // seconds
	memory int64   // bytes of the working set
}

// usable reports whether both figures were there. Neither is zero of what runs.
func (s *sample) usable() bool { return !s.at.IsZero() && s.cpu > 0 && s.memory > 0 }

// container tells containers of a node apart, but for those before a restart.
type container struct{ namespace, pod, name string }

// reading is what a kubelet told at once.
type reading struct {
	node       sample
	containers map[container]sample
}

// metrics that are read, of those that a kubelet has in /metrics/resource.
const (
	nodeCPU         = "node_cpu_usage_seconds_total"
	nodeMemory      = "node_memory_working_set_bytes"
	containerCPU    = "container_cpu_usage_seconds_total"
	containerMemory = "container_memory_working_set_bytes"
	containerStart  = "container_start_time_seconds"
	scrapeError     = "resource_scrape_error"
)

// read understands a kubelet's answer. Containers of which something is missing are left out; asked is the time of samples without one.
func read(from io.Reader, asked time.Time) (*reading, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(from)
	if err != nil {
		return nil, fmt.Errorf("understanding what a kubelet measures: %w", err)
	}
	for _, m := range families[scrapeError].GetMetric() {
		if value(m) != 0 {
			return nil, errors.New("the kubelet could not measure")
		}
	}
	r := &reading{containers: map[container]sample{}}
	each(families[nodeCPU], func(_ container, m *dto.Metric) { r.node.cpu, r.node.at = value(m), at(m, asked) })
	each(families[nodeMemory], func(_ container, m *dto.Metric) { r.node.memory = int64(value(m)) })
	with := func(name string, set func(s *sample, m *dto.Metric)) {
		each(families[name], func(c container, m *dto.Metric) {
			s := r.containers[c]
			set(&s, m)
			r.containers[c] = s
		})
	}
	with(containerCPU, func(s *sample, m *dto.Metric) { s.cpu, s.at = value(m), at(m, asked) })
	with(containerMemory, func(s *sample, m *dto.Metric) { s.memory = int64(value(m)) })
	with(containerStart, func(s *sample, m *dto.Metric) { s.since = seconds(value(m)) })
	return r, nil
}

func each(family *dto.MetricFamily, do func(container, *dto.Metric)) {
	for _, m := range family.GetMetric() {
		var c container
		for _, l := range m.GetLabel() {
			switch l.GetName() {
			case "namespace":
				c.namespace = l.GetValue()
			case "pod":
				c.pod = l.GetValue()
			case "container":
				c.name = l.GetValue()
			}
		}
		do(c, m)
	}
}

// value is a metric's, of either kind.
func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	}
	return m.GetUntyped().GetValue()
}

func at(m *dto.Metric, otherwise time.Time) time.Time {
	if m.TimestampMs == nil {
		return otherwise
	}
	return time.UnixMilli(m.GetTimestampMs())
}

// seconds is a time to the millisecond: more than that a float64 does not hold for sure.
func seconds(since1970 float64) time.Time { return time.UnixMilli(int64(math.Round(since1970 * 1000))) }
