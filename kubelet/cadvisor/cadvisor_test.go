package cadvisor

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/meter"
)

func reading(figures map[meter.Figure]float64, disks ...meter.Disk) *meter.Reading {
	r := meter.New().Nothing("there is no such group")
	for f, n := range figures {
		r.Set(f, n)
	}
	r.Disks = disks
	return r
}

func TestSamples(t *testing.T) {
	of := subjectName{namespace: "ns", pod: "p", id: "/kubepods/burstable/podu"}
	pod := &subject{labels: labels(of), reading: reading(map[meter.Figure]float64{meter.CPU: 3, meter.MemoryWorkingSet: 200})}
	of.container, of.image, of.name, of.id = "main", "web:v1", "c1", "/kubepods/burstable/podu/c1"
	container := &subject{
		labels: labels(of), started: time.Unix(5, 0), used: disk.Usage{Bytes: 10}, space: disk.Space{Bytes: 100, At: time.Unix(1, 0)},
		reading: reading(map[meter.Figure]float64{meter.CPU: 2.5, meter.MemoryWorkingSet: 100, meter.MemoryFaults: 7, meter.CPUThrottledPeriods: 4},
			meter.Disk{Device: "/dev/sda", ReadBytes: 4096, Writes: 2}),
	}
	of.container, of.image, of.name, of.id = "", sandboxImage, "s", "/kubepods/burstable/podu/s"
	sandbox := &subject{labels: labels(of), reading: reading(nil), networks: []meter.Interface{{Name: "eth0", Received: meter.Traffic{Bytes: 11, Dropped: 1}, Sent: meter.Traffic{Packets: 12}}}}
	var out text
	out.containers([]*subject{pod, container, sandbox}, time.Unix(9, 0))
	const (
		ofPod       = `container="",id="/kubepods/burstable/podu",image="",name="",namespace="ns",pod="p"`
		ofContainer = `container="main",id="/kubepods/burstable/podu/c1",image="web:v1",name="c1",namespace="ns",pod="p"`
		ofSandbox   = `container="",id="/kubepods/burstable/podu/s",image="pause",name="s",namespace="ns",pod="p"`
	)
	for _, want := range []string{
		"# TYPE container_cpu_usage_seconds_total counter\n",
		"container_cpu_usage_seconds_total{" + ofPod + ",cpu=\"total\"} 3\n", "container_cpu_usage_seconds_total{" + ofContainer + ",cpu=\"total\"} 2.5\n",
		"container_memory_working_set_bytes{" + ofContainer + "} 100\n",
		"container_memory_failures_total{" + ofContainer + ",failure_type=\"pgfault\",scope=\"container\"} 7\n",
		"container_cpu_cfs_throttled_periods_total{" + ofContainer + "} 4\n",
		"container_fs_reads_bytes_total{" + ofContainer + ",device=\"/dev/sda\"} 4096\n", "container_fs_writes_total{" + ofContainer + ",device=\"/dev/sda\"} 2\n",
		"container_fs_usage_bytes{" + ofContainer + ",device=\"\"} 10\n", "container_fs_limit_bytes{" + ofContainer + ",device=\"\"} 100\n",
		"container_network_receive_bytes_total{" + ofSandbox + ",interface=\"eth0\"} 11\n", "container_network_transmit_packets_total{" + ofSandbox + ",interface=\"eth0\"} 12\n",
		"container_start_time_seconds{" + ofContainer + "} 5\n", "container_last_seen{" + ofPod + "} 9\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if strings.Count(string(out), "# TYPE container_cpu_usage_seconds_total") != 1 || strings.Contains(string(out), "container_memory_rss") {
		t.Errorf("got:\n%s", out)
	}
}

func TestLabelsAreQuoted(t *testing.T) {
	if got := pair("a", "x\\y\"z\n"); got != `a="x\\y\"z\n"` {
		t.Errorf("got %s", got)
	}
}

// whole is a handler whose machine has all that there is.
func whole(t *testing.T, failure error) http.Handler {
	m := meter.New()
	return Handler(Config{
		Meter: m, Dir: t.TempDir(), Groups: []string{"/kubepods"}, Machine: func() (Machine, error) { return Machine{Cores: 2, Memory: 1 << 30, BootID: "b"}, failure },
		Pods: func() []Pod {
			return []Pod{{Namespace: "ns", Name: "p", UID: "u", Group: "/kubepods/podu", Sandbox: "s", Containers: []Container{{ID: "c1", Name: "main", Image: "web:v1", Started: time.Unix(5, 0)}}}}
		},
		Written: func(context.Context) (map[string]disk.Usage, disk.Space) {
			return map[string]disk.Usage{"c1": {Bytes: 10}}, disk.Space{Bytes: 100, At: time.Unix(1, 0)}
		},
	})
}

func answer(t *testing.T, h http.Handler, encoding string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics/cadvisor", nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// upstreams are what the linter does not like in cAdvisor's own names.
var upstreams = []string{"cadvisor_version_info", "container_memory_failcnt", "container_fs_inodes_total", "machine_cpu_cores"}

func TestHandler(t *testing.T) {
	text := answer(t, whole(t, nil), "").Body.Bytes()
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		known := false
		for _, name := range upstreams {
			known = known || p.Metric == name
		}
		if !known {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cadvisor_version_info", "machine_cpu_cores", "machine_memory_bytes", "container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_fs_usage_bytes", "container_last_seen", "container_scrape_error"} {
		if families[name] == nil {
			t.Errorf("no %s in\n%s", name, text)
		}
	}
	if !strings.Contains(string(text), `container_cpu_usage_seconds_total{container="",id="/",image="",name="",namespace="",pod="",cpu="total"} `) {
		t.Errorf("nothing of the root in\n%s", text)
	}
}

func TestAnswersArePackedForThoseWhoSaySo(t *testing.T) {
	w := answer(t, whole(t, nil), "gzip")
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("got %v", w.Header())
	}
	zip, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil || !strings.Contains(string(text), "machine_cpu_cores") {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestFailuresAreTold(t *testing.T) {
	if got := answer(t, whole(t, errors.New("no memory")), "").Body.String(); !strings.Contains(got, "\nmachine_scrape_error 1\n") {
		t.Errorf("got %s", got)
	}
}
