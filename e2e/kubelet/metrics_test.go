package kubelet_test

import (
	"bytes"
	"maps"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	podsv1alpha1 "k8s.io/kubelet/pkg/apis/pods/v1alpha1"

	"github.com/coracle-k8s/coracle/await"
)

// scrape is what is at one of the kubelet's endpoints of metrics, or, with server, at the API server's.
func (w *world) scrape(path string, server bool) map[string]*dto.MetricFamily {
	w.t.Helper()
	if !server {
		path = "/api/v1/nodes/" + nodeName + "/proxy" + path
	}
	data, err := w.client.CoreV1().RESTClient().Get().AbsPath(path).DoRaw(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
	return families
}

// labels are those that a sample must have.
type labels map[string]string

// value is that of the first sample with those labels; of a histogram it is how often something was observed.
func value(families map[string]*dto.MetricFamily, name string, with labels) (float64, bool) {
	for _, m := range families[name].GetMetric() {
		has := labels{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		all := maps.Clone(has)
		maps.Copy(all, with)
		if !maps.Equal(all, has) {
			continue
		}
		switch {
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount()), true
		case m.Counter != nil:
			return m.Counter.GetValue(), true
		}
		return m.GetGauge().GetValue(), true
	}
	return 0, false
}

// figure is a sample that has to be there, from least to most.
type figure struct {
	name        string
	with        labels
	least, most float64
}

func (w *world) plausible(families map[string]*dto.MetricFamily, figures []figure) {
	w.t.Helper()
	for _, f := range figures {
		if got, found := value(families, f.name, f.with); !found || got < f.least || got > f.most {
			w.t.Errorf("%s%v is %v (%t), want one from %v to %v", f.name, f.with, got, found, f.least, f.most)
		}
	}
}

const much = 1e15

func TestMetricsTellWhatIsUsed(t *testing.T) {
	w := newWorld(t)
	limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	w.create(pod("busy", "trap 'exit 0' TERM; while :; do :; done", withVolume(w.localClaim("data"), "/d"), func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = limits
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 10, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
	}))
	p := w.until("busy", "is ready", ready)
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	main := labels{"container": "main", "pod": "busy", "namespace": "default", "name": id}
	var seen map[string]*dto.MetricFamily
	await.Until(t, "a container that may use little was held back", func() bool {
		seen = w.scrape("/metrics/cadvisor", false)
		n, _ := value(seen, "container_cpu_cfs_throttled_periods_total", main)
		return n > 0
	})
	now := float64(time.Now().Unix())
	whole, root := labels{"container": "", "pod": "busy", "image": ""}, labels{"id": "/"}
	w.plausible(seen, []figure{
		{"machine_cpu_cores", nil, float64(goruntime.NumCPU()), 4096}, {"machine_memory_bytes", nil, 1 << 28, much}, {"cadvisor_version_info", nil, 1, 1},
		{"container_scrape_error", nil, 0, 0},
		{"container_cpu_usage_seconds_total", main, 0.01, 1000}, {"container_cpu_usage_seconds_total", whole, 0.01, 1000}, {"container_cpu_usage_seconds_total", root, 1, much},
		{"container_cpu_cfs_periods_total", main, 1, much}, {"container_cpu_cfs_throttled_seconds_total", main, 0.001, much},
		{"container_memory_working_set_bytes", main, 1 << 12, 64 << 20}, {"container_memory_working_set_bytes", whole, 1 << 12, 64 << 20}, {"container_memory_working_set_bytes", root, 1 << 20, much},
		{"container_memory_usage_bytes", main, 1 << 12, 64 << 20}, {"container_memory_rss", main, 1 << 12, 64 << 20}, {"container_memory_cache", main, 0, 64 << 20},
		{"container_memory_failcnt", main, 0, much}, {"container_oom_events_total", main, 0, 0},
		{"container_network_receive_bytes_total", labels{"pod": "busy", "image": "pause", "interface": "eth0"}, 0, much}, {"container_network_transmit_packets_dropped_total", labels{"pod": "busy"}, 0, much},
		{"container_spec_cpu_quota", main, 5000, 5000}, {"container_spec_cpu_period", main, 100000, 100000}, {"container_spec_cpu_shares", main, 40, 60},
		{"container_spec_memory_limit_bytes", main, 64 << 20, 64 << 20}, {"container_spec_memory_limit_bytes", whole, 64 << 20, 64 << 20},
		{"container_start_time_seconds", main, now - 300, now + 1}, {"container_last_seen", main, now - 5, now + 1}, {"container_processes", main, 1, 5}, {"container_threads", main, 1, 5},
		{"container_fs_usage_bytes", root, 1, much}, {"container_fs_limit_bytes", root, 1 << 12, much},
	})

	own, server := w.scrape("/metrics", false), w.scrape("/metrics", true)
	w.plausible(own, []figure{
		{"kubelet_node_name", labels{"node": nodeName}, 1, 1}, {"kubelet_running_pods", nil, 1, 1}, {"kubelet_running_containers", labels{"container_state": "running"}, 1, 1},
		{"kubelet_desired_pods", labels{"static": ""}, 1, 1}, {"kubelet_active_pods", nil, 1, 1}, {"kubelet_cgroup_version", nil, 1, 2},
		{"kubelet_started_pods_total", nil, 1, 1}, {"kubelet_started_containers_total", labels{"container_type": "container"}, 1, 1}, {"kubelet_pod_start_duration_seconds", nil, 1, 1},
		{"kubelet_pod_start_total_duration_seconds", nil, 1, 1}, {"kubelet_pod_worker_duration_seconds", labels{"operation_type": "create"}, 1, 5},
		{"kubelet_pod_status_sync_duration_seconds", nil, 1, 20}, {"kubelet_cgroup_manager_duration_seconds", labels{"operation_type": "create"}, 1, 1},
		{"kubelet_runtime_operations_total", labels{"operation_type": "run_podsandbox"}, 1, 1}, {"kubelet_runtime_operations_duration_seconds", labels{"operation_type": "start_container"}, 1, 1},
		{"kubelet_run_podsandbox_duration_seconds", nil, 1, 1}, {"kubelet_evented_pleg_connection_success_count", nil, 1, 1}, {"kubelet_pleg_relist_duration_seconds", nil, 1, 5},
		{"kubelet_http_requests_total", labels{"path": "metrics/cadvisor", "method": "GET"}, 1, much}, {"kubelet_http_inflight_requests", labels{"path": "metrics"}, 1, 1},
		{"kubelet_volume_stats_capacity_bytes", labels{"namespace": "default", "persistentvolumeclaim": "data"}, 1 << 20, much},
		{"kubelet_volume_stats_available_bytes", labels{"persistentvolumeclaim": "data"}, 1, much}, {"kubelet_certificate_manager_server_ttl_seconds", nil, 3600, much},
		{"kubelet_container_log_filesystem_used_bytes", labels{"pod": "busy", "container": "main"}, 0, 1 << 20}, {"go_goroutines", nil, 1, much}, {"process_start_time_seconds", nil, 1, much},
	})
	for name := range own {
		if server[name] != nil && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is both the kubelet's and the API server's", name)
		}
	}

	probe := labels{"probe_type": "Readiness", "pod": "busy", "container": "main", "namespace": "default"}
	probes := w.scrape("/metrics/probes", false)
	w.plausible(probes, []figure{{"prober_probe_total", probe, 1, much}, {"prober_probe_duration_seconds", probe, 1, much}})
	w.plausible(w.scrape("/metrics/resource", false), []figure{
		{"container_cpu_usage_seconds_total", labels{"pod": "busy", "container": "main"}, 0.01, 1000}, {"pod_memory_working_set_bytes", labels{"pod": "busy"}, 1 << 12, 64 << 20},
		{"node_memory_working_set_bytes", nil, 1 << 20, much}, {"resource_scrape_error", nil, 0, 0},
	})
}

func TestPodsAreToldOverASocket(t *testing.T) {
	w := newWorld(t)
	conn, err := grpc.NewClient("unix:///var/lib/kubelet/pods-api/pods-api.sock", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	watch, err := podsv1alpha1.NewPodsClient(conn).WatchPods(await.Context(t, "a Pod came and went"), &podsv1alpha1.WatchPodsRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	next := func() (podsv1alpha1.EventType, *corev1.Pod) {
		event, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		p := &corev1.Pod{}
		if err := p.Unmarshal(event.Pod); err != nil {
			t.Fatal(err)
		}
		return event.Type, p
	}
	if kind, _ := next(); kind != podsv1alpha1.EventType_INITIAL_SYNC_COMPLETE {
		t.Fatalf("got %v of a node without Pods", kind)
	}
	w.create(pod("told", forever))
	kind, p := next()
	if kind != podsv1alpha1.EventType_ADDED || p.Name != "told" {
		t.Fatalf("got %v of %s", kind, p.Name)
	}
	for p.Status.Phase != corev1.PodRunning || kind != podsv1alpha1.EventType_MODIFIED {
		kind, p = next()
	}
	if p.Status.PodIP == "" || len(p.Spec.Containers) != 1 {
		t.Errorf("got %v", p)
	}
	w.delete("told")
	for kind != podsv1alpha1.EventType_DELETED {
		kind, p = next()
	}
	if p.Name != "told" {
		t.Errorf("got %v", p)
	}
}
