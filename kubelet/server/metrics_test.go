package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/utils/ptr"
)

func TestMetrics(t *testing.T) {
	at := func(seconds int64) metav1.Time { return metav1.NewTime(time.Unix(seconds, 5e8)) }
	cpu := func(n uint64) *statsapi.CPUStats {
		return &statsapi.CPUStats{Time: at(10), UsageCoreNanoSeconds: ptr.To(n * 5e8)}
	}
	memory := func(n uint64) *statsapi.MemoryStats {
		return &statsapi.MemoryStats{Time: at(11), WorkingSetBytes: &n}
	}
	swap := func(n uint64) *statsapi.SwapStats {
		return &statsapi.SwapStats{Time: at(12), SwapUsageBytes: &n, SwapAvailableBytes: ptr.To[uint64](100)}
	}
	const scrape = `# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise
# TYPE resource_scrape_error gauge
resource_scrape_error `
	for name, tt := range map[string]struct {
		summary *statsapi.Summary
		want    string
	}{
		"an error":         {nil, scrape + "1\n"},
		"nothing is known": {&statsapi.Summary{Pods: []statsapi.PodStats{{CPU: &statsapi.CPUStats{}, Containers: []statsapi.ContainerStats{{}}}}}, scrape + "0\n"},
		"all is known": {&statsapi.Summary{
			Node: statsapi.NodeStats{CPU: cpu(1), Memory: memory(2), Swap: swap(3)},
			Pods: []statsapi.PodStats{
				{
					PodRef: statsapi.PodReference{Namespace: "ns", Name: "p"}, CPU: cpu(4), Memory: memory(5), Swap: swap(6),
					Containers: []statsapi.ContainerStats{{Name: "a", StartTime: at(9), CPU: cpu(7), Memory: memory(8), Swap: swap(9)}, {Name: "b", CPU: cpu(8)}},
				},
				{PodRef: statsapi.PodReference{Namespace: "ns", Name: "q"}, CPU: cpu(6), StartTime: at(9)},
			},
		}, `# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="a",namespace="ns",pod="p"} 3.5 10500
container_cpu_usage_seconds_total{container="b",namespace="ns",pod="p"} 4 10500
# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container="a",namespace="ns",pod="p"} 8 11500
# HELP container_start_time_seconds [STABLE] Start time of the container since unix epoch in seconds
# TYPE container_start_time_seconds gauge
container_start_time_seconds{container="a",namespace="ns",pod="p"} 9.5
# HELP container_swap_limit_bytes [ALPHA] Current amount of the container swap limit in bytes. Reported only on non-windows systems
# TYPE container_swap_limit_bytes gauge
container_swap_limit_bytes{container="a",namespace="ns",pod="p"} 109 12500
# HELP container_swap_usage_bytes [ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems
# TYPE container_swap_usage_bytes gauge
container_swap_usage_bytes{container="a",namespace="ns",pod="p"} 9 12500
# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 0.5 10500
# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes
# TYPE node_memory_working_set_bytes gauge
node_memory_working_set_bytes 2 11500
# HELP node_swap_usage_bytes [ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems
# TYPE node_swap_usage_bytes gauge
node_swap_usage_bytes 3 12500
# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the pod in core-seconds
# TYPE pod_cpu_usage_seconds_total counter
pod_cpu_usage_seconds_total{namespace="ns",pod="p"} 2 10500
pod_cpu_usage_seconds_total{namespace="ns",pod="q"} 3 10500
# HELP pod_memory_working_set_bytes [STABLE] Current working set of the pod in bytes
# TYPE pod_memory_working_set_bytes gauge
pod_memory_working_set_bytes{namespace="ns",pod="p"} 5 11500
# HELP pod_swap_usage_bytes [ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems
# TYPE pod_swap_usage_bytes gauge
pod_swap_usage_bytes{namespace="ns",pod="p"} 6 12500
` + scrape + "0\n"},
	} {
		if got := renderMetrics(tt.summary); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}

// mute is a runtime that does not answer.
type mute struct{ cri.RuntimeService }

func (mute) ListPodSandbox(context.Context, *runtimeapi.PodSandboxFilter) ([]*runtimeapi.PodSandbox, error) {
	return nil, errors.New("no answer")
}

func TestMetricsTellThatThereAreNone(t *testing.T) {
	w := httptest.NewRecorder()
	New(Config{Runtime: mute{}}).resourceMetrics(w, httptest.NewRequest(http.MethodGet, "/metrics/resource", nil))
	if got := w.Body.String(); w.Code != http.StatusOK || !strings.HasSuffix(got, "\nresource_scrape_error 1\n") {
		t.Errorf("got %d %s", w.Code, got)
	}
}

func TestConfigurationThatIsShown(t *testing.T) {
	w := httptest.NewRecorder()
	New(Config{Port: 1234, MaxPods: 7}).configz(w, httptest.NewRequest(http.MethodGet, "/configz", nil))
	var got struct{ KubeletConfig struct{ Port, MaxPods int } }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.KubeletConfig.Port != 1234 || got.KubeletConfig.MaxPods != 7 {
		t.Errorf("got %s, %v", w.Body, err)
	}
}
