package probes

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	remote "k8s.io/cri-client/pkg"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// script answers each kind of probe by what it is told.
type script struct {
	mu     sync.Mutex
	answer map[string]Outcome // by the probe's command
	asked  map[string]int
}

func (s *script) Check(_ context.Context, _ Target, p *corev1.Probe) (Outcome, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := p.Exec.Command[0]
	s.asked[name]++
	return s.answer[name], ""
}

func (s *script) set(name string, o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer[name] = o
}

func (s *script) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

func probeOf(name string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		PeriodSeconds: period, FailureThreshold: failures, SuccessThreshold: 1, TimeoutSeconds: 1,
		ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{name}}},
	}
}

// exposed are the metrics.
func exposed(p *Probes) string {
	answer := httptest.NewRecorder()
	p.Metrics().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics/probes", nil))
	return answer.Body.String()
}

func TestAStartInTheFutureIsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: map[string]Outcome{"live": Healthy}, asked: map[string]int{}}
		p := New(s, "", nil, func(types.UID) {})
		ctx, cancel := context.WithCancel(t.Context())
		go p.Run(ctx)
		pod := &corev1.Pod{}
		pod.UID = "u"
		pod.Spec.Containers = []corev1.Container{{Name: "c", LivenessProbe: probeOf("live", 1, 2)}}
		p.Watch(pod, &runtime.Pod{Containers: []*runtime.Container{{ID: "id", Name: "c", State: runtime.Running, StartedAt: time.Now().Add(36 * time.Hour)}}})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if s.count("live") == 0 {
			t.Error("a container that the clock, which went back, says to start tomorrow is not asked")
		}
		cancel()
		synctest.Wait()
	})
}

func TestProbesWaitForTheStartAndCountFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: map[string]Outcome{"startup": Unhealthy, "ready": Healthy, "live": Healthy}, asked: map[string]int{}}
		var changes atomic.Int32
		p := New(s, "", nil, func(types.UID) { changes.Add(1) })
		ctx, cancel := context.WithCancel(t.Context())
		go p.Run(ctx)
		pod := &corev1.Pod{}
		pod.UID = "u"
		pod.Spec.Containers = []corev1.Container{{
			Name: "c", StartupProbe: probeOf("startup", 1, 5), ReadinessProbe: probeOf("ready", 2, 1), LivenessProbe: probeOf("live", 1, 2),
		}}
		observed := &runtime.Pod{Containers: []*runtime.Container{{ID: "id", Name: "c", State: runtime.Running, StartedAt: time.Now()}}}
		p.Watch(pod, observed)
		p.Watch(pod, observed)
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if s.count("startup") != 3 || s.count("ready")+s.count("live") != 0 {
			t.Errorf("asked %v before the start", s.asked)
		}
		s.set("startup", Healthy)
		time.Sleep(time.Second)
		synctest.Wait()
		startup, ready, live := p.Findings("id")
		if startup == nil || !*startup || ready == nil || !*ready || live == nil || !*live {
			t.Errorf("found %v %v %v after the start", startup, ready, live)
		}
		if got, want := exposed(p), `prober_probe_total{container="c",namespace="",pod="",pod_uid="u",probe_type="Startup",result="failed"} 3`; !strings.Contains(got, want) {
			t.Errorf("%s is missing in:\n%s", want, got)
		}
		if s.count("startup") != 4 {
			t.Errorf("startup asked %d times", s.count("startup"))
		}
		s.set("ready", Unhealthy)
		s.set("live", Unhealthy)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		_, ready, live = p.Findings("id")
		if *ready || *live {
			t.Errorf("found %v %v", *ready, *live)
		}
		before := s.count("live")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s.count("live") != before {
			t.Error("a container that is known dead is asked on")
		}
		s.set("ready", Healthy)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, ready, _ := p.Findings("id"); !*ready {
			t.Error("readiness did not come back")
		}
		p.Forget("u")
		if got := exposed(p); strings.Contains(got, "pod_uid") {
			t.Errorf("metrics of a forgotten Pod:\n%s", got)
		}
		if startup, _, _ := p.Findings("id"); startup != nil {
			t.Error("findings outlive their probes")
		}
		if n := changes.Load(); n != 6 {
			t.Errorf("%d changes told", n)
		}
		cancel()
	})
}

func TestProbesThatCannotBeAskedChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: map[string]Outcome{"live": Broken}, asked: map[string]int{}}
		p := New(s, "", nil, func(types.UID) {})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go p.Run(ctx)
		pod := &corev1.Pod{}
		pod.Spec.Containers = []corev1.Container{{Name: "c", LivenessProbe: probeOf("live", 1, 2)}}
		p.Watch(pod, &runtime.Pod{Containers: []*runtime.Container{{ID: "id", Name: "c", State: runtime.Running, StartedAt: time.Now()}}})
		time.Sleep(5500 * time.Millisecond)
		synctest.Wait()
		if _, _, live := p.Findings("id"); live != nil || s.count("live") != 6 {
			t.Errorf("asked %d times, found %v", s.count("live"), live)
		}
		s.set("live", Unhealthy)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, _, live := p.Findings("id"); live == nil || *live {
			t.Errorf("found %v of a container that is dead", live)
		}
	})
}

// failing answers each command with an error.
type failing struct{ err error }

func (f failing) ExecSync(context.Context, string, []string, time.Duration) (stdout, stderr []byte, err error) {
	return nil, nil, f.err
}

func TestCommandsThatEndInErrors(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want Outcome
	}{
		"the client's timeout":  {fmt.Errorf("%w: \"sleep\" timed out after 1s", remote.ErrCommandTimedOut), Unhealthy},
		"the runtime's timeout": {status.Error(codes.DeadlineExceeded, "timeout"), Unhealthy},
		"no such container":     {status.Error(codes.NotFound, "no container"), Broken},
	} {
		if got, output := (checker{exec: failing{test.err}}).Check(t.Context(), Target{}, probeOf("sleep", 1, 1)); got != test.want {
			t.Errorf("%s is %s: %s", name, got, output)
		}
	}
}

func TestHTTPProbes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			if r.Header.Get("User-Agent") != userAgent || r.Host != "named" || r.Header.Get("X") != "1" {
				w.WriteHeader(http.StatusBadRequest)
			}
		case "/bad":
			w.WriteHeader(http.StatusInternalServerError)
		case "/here":
			http.Redirect(w, r, "/bad", http.StatusFound)
		case "/there":
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Container: &corev1.Container{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: int32(port)}}}, PodIP: u.Hostname()}
	for path, want := range map[string]Outcome{"/ok": Healthy, "/bad": Unhealthy, "/here": Unhealthy, "/there": Warned} {
		probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString("web"), HTTPHeaders: []corev1.HTTPHeader{{Name: "Host", Value: "named"}, {Name: "X", Value: "1"}},
		}}}
		if got, output := NewChecker(nil).Check(t.Context(), target, probe); got != want {
			t.Errorf("%s: %s (%s), want %s", path, got, output, want)
		}
	}
	tcp := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt(port)}}}
	if got, output := NewChecker(nil).Check(t.Context(), target, tcp); got != Healthy {
		t.Errorf("tcp: %s %s", got, output)
	}
	server.Close()
	if got, _ := NewChecker(nil).Check(t.Context(), target, tcp); got != Unhealthy {
		t.Errorf("tcp of a closed port: %s", got)
	}
}

// A startup probe looks for something that may be gone once the container has started: a restarted kubelet believes what it reported.
func TestNoStartupProbeOfWhatHasStarted(t *testing.T) {
	started, not := true, false
	for name, c := range map[string]struct {
		reported *corev1.ContainerStatus
		asked    bool
	}{
		"reported as started":  {&corev1.ContainerStatus{Name: "c", ContainerID: "containerd://id", Started: &started}, false},
		"reported as starting": {&corev1.ContainerStatus{Name: "c", ContainerID: "containerd://id", Started: &not}, true},
		"another instance":     {&corev1.ContainerStatus{Name: "c", ContainerID: "containerd://before", Started: &started}, true},
		"never reported":       {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answer: map[string]Outcome{"startup": Unhealthy, "live": Healthy}, asked: map[string]int{}}
				p := New(s, "", nil, func(types.UID) {})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go p.Run(ctx)
				pod := &corev1.Pod{}
				pod.UID = "u"
				pod.Spec.Containers = []corev1.Container{{Name: "c", StartupProbe: probeOf("startup", 1, 3), LivenessProbe: probeOf("live", 1, 3)}}
				if c.reported != nil {
					pod.Status.ContainerStatuses = []corev1.ContainerStatus{*c.reported}
				}
				observed := &runtime.Pod{Containers: []*runtime.Container{{ID: "id", Name: "c", State: runtime.Running, StartedAt: time.Now()}}}
				p.Watch(pod, observed)
				p.Watch(pod, observed)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				startup, _, live := p.Findings("id")
				if asked := s.count("startup") > 0; asked != c.asked || startup == nil || *startup == c.asked || (live != nil) == c.asked {
					t.Errorf("asked %v, found %v %v", s.asked, startup, live)
				}
			})
		})
	}
}

// panics cannot be asked the first time.
type panics struct{ times atomic.Int32 }

func (p *panics) Check(context.Context, Target, *corev1.Probe) (Outcome, string) {
	if p.times.Add(1) == 1 {
		panic("a checker's fault")
	}
	return Healthy, ""
}

func TestAProbeIsAskedAgainAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(&panics{}, "", nil, func(types.UID) {})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go p.Run(ctx)
		pod := &corev1.Pod{}
		pod.Spec.Containers = []corev1.Container{{Name: "c", ReadinessProbe: probeOf("ready", 1, 3)}}
		p.Watch(pod, &runtime.Pod{Containers: []*runtime.Container{{ID: "id", Name: "c", State: runtime.Running, StartedAt: time.Now()}}})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if _, ready, _ := p.Findings("id"); ready == nil || !*ready {
			t.Errorf("found %v", ready)
		}
	})
}

// This process has a proxy to pull images through; probes must not go there.
func TestProbesGoDirectly(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	host := ""
	for _, a := range addresses { // proxies spare the loopback address
		if ip := a.(*net.IPNet).IP; !ip.IsLoopback() && ip.To4() != nil {
			host = ip.String()
		}
	}
	if host == "" {
		t.Skip("this machine has no address but the loopback one")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	defer server.Stop()
	port := int32(listener.Addr().(*net.TCPAddr).Port)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	outcome, output := NewChecker(nil).Check(ctx, Target{PodIP: host, Container: &corev1.Container{}}, &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}},
	})
	if outcome != Healthy {
		t.Errorf("%s: %s", outcome, output)
	}
}
