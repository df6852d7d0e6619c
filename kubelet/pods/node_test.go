package pods

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// testNode is a manager with a runtime that only remembers, in the time of a synctest bubble.
type testNode struct {
	*testing.T
	*Manager
	runtime *testRuntime
	images  *testImages
	volumes *testVolumes
	probes  *testProbes
	events  *record.FakeRecorder
	node    *corev1.Node
	dir     string
	stop    func()
}

// onNode runs f with a node in a bubble of its own.
func onNode(t *testing.T, f func(n *testNode), change ...func(*Config)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, dir, nil, change...)
		defer n.stop()
		f(n)
	})
}

// newTestNode starts a node that knows of Pods already.
func newTestNode(t *testing.T, dir string, known []*corev1.Pod, change ...func(*Config)) *testNode {
	client := fake.NewClientset()
	n := &testNode{
		T: t, dir: dir, runtime: &testRuntime{events: make(chan *runtimeapi.ContainerEventResponse)}, images: &testImages{}, volumes: &testVolumes{},
		probes: &testProbes{}, events: record.NewFakeRecorder(1000), node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"kubernetes.io/os": "linux"}}},
	}
	n.node.Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi"), "pods": resource.MustParse("10")}
	writer := status.NewWriter(client)
	c := Config{
		NodeName: "n", HostIPs: []string{"1.1.1.1"}, Client: client, Recorder: n.events, Runtime: n.runtime, Images: n.images, Volumes: n.volumes,
		ImageUser: func(context.Context, string) (*int64, string, error) { return new(int64), "", nil },
		Resources: testResources{}, Probes: n.probes, Status: writer, Node: func() *corev1.Node { return n.node }, Admission: &admission.Node{},
		Services: func() []*corev1.Service { return nil }, ServicesSynced: func() bool { return true },
		RuntimeHandler: func(*corev1.Pod) (string, error) { return "", nil }, RuntimeName: "test", ResolvConf: "/dev/null",
		PodsDir: filepath.Join(dir, "pods"), PodLogsDir: filepath.Join(dir, "logs"), ContainerLogsDir: filepath.Join(dir, "links"),
	}
	for _, f := range change {
		f(&c)
	}
	for _, d := range []string{c.PodsDir, c.PodLogsDir, c.ContainerLogsDir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n.Manager = New(c)
	for _, pod := range known {
		n.Update(pod)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group guard.Group
	group.Go("writer", func() { writer.Run(ctx) })
	group.Go("manager", func() { n.Manager.Run(ctx) })
	n.stop = func() { cancel(); group.Wait() } // may be called again
	synctest.Wait()
	return n
}

// add tells the node of a Pod, and of what changed of one, and waits until nothing happens any more.
func (n *testNode) add(pod *corev1.Pod) *corev1.Pod {
	n.Helper()
	n.Update(pod)
	synctest.Wait()
	return pod
}

// states are those of a Pod's containers, in words.
func (n *testNode) states(pod *corev1.Pod) string {
	var words []string
	s := n.Status.Latest(pod)
	for _, list := range [][]corev1.ContainerStatus{s.InitContainerStatuses, s.ContainerStatuses} {
		for i := range list {
			switch state := list[i].State; {
			case state.Running != nil:
				words = append(words, list[i].Name+"=running")
			case state.Waiting != nil:
				words = append(words, list[i].Name+"="+state.Waiting.Reason)
			case state.Terminated != nil:
				words = append(words, list[i].Name+"=ended")
			}
		}
	}
	return strings.Join(words, " ")
}

func (n *testNode) wantStates(pod *corev1.Pod, want string) {
	n.Helper()
	if got := n.states(pod); got != want {
		n.Errorf("the containers are: %s; want: %s", got, want)
	}
}

// ends makes a container end.
func (n *testNode) ends(pod *corev1.Pod, name string, code int32) {
	n.Helper()
	n.runtime.end(pod.UID, name, code)
	n.RuntimeChanged(pod.UID)
	synctest.Wait()
}

// testImages has all images but those that fail.
type testImages struct {
	mu      sync.Mutex
	failing map[string]error
	asked   map[string]int
}

func (i *testImages) Ensure(_ context.Context, r ImageRequest) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.asked == nil {
		i.asked = map[string]int{}
	}
	i.asked[r.Image]++
	return r.Image, i.failing[r.Image]
}
func (i *testImages) Used(string)      {}
func (i *testImages) Forget(types.UID) {}

type testVolumes struct{ failure error }

func (v *testVolumes) Mount(context.Context, *corev1.Pod) error { return v.failure }
func (*testVolumes) Mounts(context.Context, *corev1.Pod, *corev1.Container, func(*corev1.VolumeMount) (string, error)) ([]*runtimeapi.Mount, error) {
	return nil, nil
}
func (*testVolumes) Devices(*corev1.Pod, *corev1.Container) ([]*runtimeapi.Device, error) {
	return nil, nil
}
func (*testVolumes) SupplementalGroups(*corev1.Pod) []int64 { return nil }
func (*testVolumes) EnvFile(*corev1.Pod, string, string, string) (string, bool, error) {
	return "", false, nil
}
func (*testVolumes) Unmount(context.Context, types.UID) error { return nil }

type testResources struct{}

func (testResources) Create(*corev1.Pod) (string, error) { return "/pods", nil }
func (testResources) Remove(types.UID) error             { return nil }
func (testResources) List() []types.UID                  { return nil }
func (testResources) Container(*corev1.Pod, *corev1.Container) *runtimeapi.LinuxContainerResources {
	return nil
}
func (testResources) Pod(*corev1.Pod) *runtimeapi.LinuxContainerResources { return nil }

// testProbes find all containers well but those that are told otherwise, by name.
type testProbes struct {
	mu      sync.Mutex
	unwell  map[string]bool
	started *bool
}

func (*testProbes) Watch(*corev1.Pod, *runtime.Pod) {}
func (*testProbes) Forget(types.UID)                {}
func (p *testProbes) Findings(id string) (startup, readiness, liveness *bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	good := true
	for name := range p.unwell {
		if strings.Contains(id, name) {
			good = false
		}
	}
	return p.started, nil, &good
}

func (p *testProbes) say(name string, unwell bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unwell == nil {
		p.unwell = map[string]bool{}
	}
	if p.unwell[name] = unwell; !unwell {
		delete(p.unwell, name)
	}
}

func metav1Now() *metav1.Time { now := metav1.Now(); return &now }
