package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"k8s.io/component-base/metrics/testutil"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/utils/ptr"
)

// scraped is what somebody who asks is answered.
func scraped(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// all counts everything once.
func all(m *Metrics) {
	now := time.Now()
	m.Worked(Create, now)
	m.WorkerStarted(2, now)
	m.Running(now)
	m.Started(3*time.Second, 2*time.Second, true)
	m.SandboxStarted(errors.New("no"), true)
	m.ContainerStarted(InitContainer, "ErrImagePull")
	m.ContainerEnded(Container, 137, "OOMKilled")
	m.StatusWritten(now)
	m.Rejected("OutOfcpu")
	m.Preempted("memory")
	m.Orphan()
	m.Relisted(now, now.Add(-time.Minute))
	m.EventStream()
	m.Evicted("memory.available")
	m.Group("create", now)
	m.Pulled(time.Second, 20<<20)
	m.ImageRemoved()
	m.ImageVolume(nil)
	m.ImageVolume(errors.New("no"))
	m.Request(http.MethodGet, "metrics")()
	m.PodRequest("/v1alpha1.Pods/WatchPods", "Canceled")
	m.PodRequest("/v1alpha1.Pods/GetPod", "NotFound")
	m.PodRequest("/v1alpha1.Pods/ListPods", "OK")
	m.PodRequest("/v1.PodResourcesLister/Get", "Unknown")
	m.PodWatchDropped()
}

// upstreams are what the linter does not like in upstream's own names.
var upstreams = []string{"kubelet_evictions", "kubelet_preemptions", "kubelet_evented_pleg_connection_success_count", "kubelet_containers_per_pod_count", "kubelet_volume_stats_inodes",
	"kubelet_pod_resources_endpoint_requests_get", "kubelet_pod_resources_endpoint_errors_get"}

func TestEverythingIsTold(t *testing.T) {
	m := New("n1")
	all(m)
	m.OnScrape(func() Figures {
		return Figures{
			RunningPods: 2, Containers: map[string]int{"running": 3}, Desired: 4, Active: 3, Ephemeral: 1, CgroupVersion: 2, RunningResizes: 1,
			PendingResizes: map[Resize]int{{"deferred", "normal"}: 1}, Volumes: []Volume{{Namespace: "ns", Claim: "data", Bytes: 100, Used: 40}},
			Logs: []Log{{"u", "ns", "p", "c", 5}}, PodCertificates: map[PodCertificate]int{{"example.com/s", "fresh"}: 1}, ServerTTL: 60, ClientTTL: 70,
			ProtectedMemory: ptr.To[int64](10), PreferredMemory: ptr.To[int64](20),
		}
	})
	got := scraped(t, m)
	for _, want := range []string{
		`kubelet_node_name{node="n1"} 1`, `kubelet_running_pods 2`, `kubelet_running_containers{container_state="running"} 3`, `kubelet_desired_pods{static=""} 4`,
		`kubelet_active_pods{static=""} 3`, `kubelet_managed_ephemeral_containers 1`, `kubelet_cgroup_version 2`, `kubelet_restarted_pods_total{static=""} 0`,
		`kubelet_pod_worker_duration_seconds_count{operation_type="create"} 1`, `kubelet_pod_start_duration_seconds_count 1`, `kubelet_pod_start_sli_duration_seconds_sum 2`,
		`kubelet_pod_start_total_duration_seconds_sum 3`, `kubelet_started_pods_total 1`, `kubelet_started_pods_errors_total 1`, `kubelet_started_user_namespaced_pods_total 1`,
		`kubelet_started_containers_total{container_type="init_container"} 1`, `kubelet_started_containers_errors_total{code="ErrImagePull",container_type="init_container"} 1`,
		`kubelet_terminated_containers_total{container_type="container",exit_code="137",reason="OOMKilled"} 1`, `kubelet_evictions{eviction_signal="memory.available"} 1`,
		`kubelet_admission_rejections_total{reason="OutOfcpu"} 1`, `kubelet_preemptions{preemption_signal="memory"} 1`, `kubelet_pleg_relist_interval_seconds_sum 60`,
		`kubelet_image_pull_duration_seconds_count{image_size_in_bytes="10MB-100MB"} 1`, `kubelet_image_volume_requested_total 2`, `kubelet_image_volume_mounted_errors_total 1`,
		`kubelet_http_requests_total{long_running="false",method="GET",path="metrics",server_type="readwrite"} 1`,
		`kubelet_http_inflight_requests{long_running="false",method="GET",path="metrics",server_type="readwrite"} 0`,
		`kubelet_volume_stats_capacity_bytes{namespace="ns",persistentvolumeclaim="data"} 100`, `kubelet_volume_stats_used_bytes{namespace="ns",persistentvolumeclaim="data"} 40`,
		`kubelet_container_log_filesystem_used_bytes{container="c",namespace="ns",pod="p",uid="u"} 5`, `kubelet_podcertificate_states{signer_name="example.com/s",state="fresh"} 1`,
		`kubelet_certificate_manager_server_ttl_seconds 60`, `kubelet_certificate_manager_client_ttl_seconds 70`, `kubelet_pod_pending_resizes{priority_bucket="normal",reason="deferred"} 1`,
		`kubelet_pod_requests_total{server_api_version="v1alpha1",status_code="OK"} 1`, `kubelet_pod_requests_get_total{server_api_version="v1alpha1",status_code="NotFound"} 1`,
		`kubelet_pod_requests_watch_total{server_api_version="v1alpha1",status_code="Canceled"} 1`, `kubelet_pod_watch_events_dropped_total 1`,
		`kubelet_pod_resources_endpoint_requests_total{server_api_version="v1"} 1`, `kubelet_pod_resources_endpoint_errors_get{server_api_version="v1"} 1`,
		`kubelet_memory_qos_node_memory_min_bytes 10`, `kubelet_memory_qos_node_memory_low_bytes 20`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if !strings.Contains(got, "\ngo_goroutines ") || !strings.Contains(got, "\nprocess_cpu_seconds_total ") {
		t.Error("nothing of the process")
	}
	problems, err := promlint.New(strings.NewReader(got)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "kubelet_") && !slices.Contains(upstreams, p.Metric) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestEachKubeletHasItsOwn(t *testing.T) {
	a, b := New("a"), New("b")
	a.SandboxStarted(nil, false)
	if got := scraped(t, b); !strings.Contains(got, "\nkubelet_started_pods_total 0\n") || strings.Contains(got, `node="a"`) || strings.Contains(got, "apiserver_") || strings.Contains(got, "coracle_") {
		t.Error("one tells of the other, or of the process's")
	}
}

func TestWhoCountsNothingNeedsNoMetrics(*testing.T) { all(nil) }

func TestFiguresThatCannotBeFoundOutHideNoOthers(t *testing.T) {
	m := New("n")
	m.OnScrape(func() Figures { panic("figures") })
	if got := scraped(t, m); !strings.Contains(got, "\nkubelet_started_pods_total 0\n") {
		t.Errorf("got %s", got)
	}
}

// broken is a runtime that makes no sandboxes.
type broken struct{ cri.RuntimeService }

func (broken) RunPodSandbox(context.Context, *runtimeapi.PodSandboxConfig, string) (string, error) {
	return "", errors.New("no")
}

func (broken) Version(context.Context, string) (*runtimeapi.VersionResponse, error) {
	return &runtimeapi.VersionResponse{}, nil
}

func TestOperations(t *testing.T) {
	m := New("n")
	service := m.Runtime(broken{})
	if _, err := service.RunPodSandbox(t.Context(), nil, "kata"); err == nil {
		t.Error("the error is lost")
	}
	if _, err := service.Version(t.Context(), "v1"); err != nil {
		t.Error(err)
	}
	const want = `# HELP kubelet_run_podsandbox_errors_total [ALPHA] Sandboxes that the runtime could not start, by its handler.
# TYPE kubelet_run_podsandbox_errors_total counter
kubelet_run_podsandbox_errors_total{runtime_handler="kata"} 1
# HELP kubelet_runtime_operations_errors_total [ALPHA] Calls of the runtime that failed, by operation.
# TYPE kubelet_runtime_operations_errors_total counter
kubelet_runtime_operations_errors_total{operation_type="run_podsandbox"} 1
# HELP kubelet_runtime_operations_total [ALPHA] Calls of the runtime, by operation.
# TYPE kubelet_runtime_operations_total counter
kubelet_runtime_operations_total{operation_type="run_podsandbox"} 1
kubelet_runtime_operations_total{operation_type="version"} 1
`
	if err := testutil.GatherAndCompare(m.Gatherer(), strings.NewReader(want), "kubelet_run_podsandbox_errors_total", "kubelet_runtime_operations_errors_total", "kubelet_runtime_operations_total"); err != nil {
		t.Error(err)
	}
}

func TestLabels(t *testing.T) {
	for reason, want := range map[string]string{"OutOfmemory": "OutOfmemory", "OutOfexample.com/gpu": "OutOfExtendedResources", "NodeAffinity": "Other"} {
		if got := rejection(reason); got != want {
			t.Errorf("rejected for %s: %s", reason, got)
		}
	}
	for bytes, want := range map[uint64]string{0: "N/A", 1: "0-10MB", 10 << 20: "0-10MB", 10<<20 + 1: "10MB-100MB", 200 << 30: "GT100GB"} {
		if got := sizeOf(bytes); got != want {
			t.Errorf("%d bytes: %s", bytes, got)
		}
	}
	for p, want := range map[int32]string{2000000000: "system-critical", 100000: "high", 1: "medium", 0: "normal", -1: "low", -1000: "very-low"} {
		if got := PriorityBucket(&p); got != want {
			t.Errorf("priority %d: %s", p, got)
		}
	}
}

func BenchmarkOperation(b *testing.B) {
	service := New("n").Runtime(broken{})
	for b.Loop() {
		if _, err := service.Version(b.Context(), "v1"); err != nil {
			b.Fatal(err)
		}
	}
}
