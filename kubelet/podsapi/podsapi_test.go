package podsapi

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics/testutil"
	resourcesv1 "k8s.io/kubelet/pkg/apis/podresources/v1"
	podsv1alpha1 "k8s.io/kubelet/pkg/apis/pods/v1alpha1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

func pod(name, version string, phase corev1.PodPhase) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: types.UID("u-" + name), ResourceVersion: version}}
	p.Status.Phase = phase
	always := corev1.ContainerRestartPolicyAlways
	p.Spec.InitContainers = []corev1.Container{{Name: "init"}, {Name: "sidecar", RestartPolicy: &always}}
	p.Spec.Containers = []corev1.Container{{Name: "main"}}
	return p
}

// node has Pods.
type node struct {
	mu   sync.Mutex
	pods []*corev1.Pod
}

func (n *node) Pods() (list []*corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		list = append(list, p.DeepCopy())
	}
	return list
}

func TestChangesAsAClientIsTold(t *testing.T) {
	known := map[types.UID]told{}
	p := pod("a", "1", corev1.PodPending)
	running := p.Status.DeepCopy()
	running.Phase = corev1.PodRunning
	newer := p.DeepCopy()
	newer.ResourceVersion = "2"
	for i, step := range []struct {
		change
		want podsv1alpha1.EventType
	}{
		{change{pod: p, gone: true}, 0},
		{change{pod: p, status: p.Status}, podsv1alpha1.EventType_ADDED},
		{change{pod: p, status: p.Status}, 0},
		{change{pod: p, status: *running}, podsv1alpha1.EventType_MODIFIED},
		{change{pod: newer, status: *running}, podsv1alpha1.EventType_MODIFIED},
		{change{pod: newer, gone: true}, podsv1alpha1.EventType_DELETED},
		{change{pod: newer, gone: true}, 0},
	} {
		kind, told := judge(known, step.change)
		if kind != step.want || (told == nil) != (step.want == 0) {
			t.Errorf("step %d: %v %v, want %v", i, kind, told, step.want)
		}
		if told != nil && !step.gone && told.Status.Phase != step.status.Phase {
			t.Errorf("step %d: the status is %s", i, told.Status.Phase)
		}
	}
}

func TestWhoDoesNotKeepUpIsGivenUp(t *testing.T) {
	dropped := 0
	c := &Changes{Dropped: func() { dropped++ }}
	c.Pod(pod("a", "1", ""), corev1.PodStatus{}) // for nobody
	slow, endSlow := c.watch()
	for range waiting + 1 {
		c.Pod(pod("a", "1", ""), corev1.PodStatus{})
	}
	quick, end := c.watch()
	c.Gone(pod("a", "1", ""))
	got := 0
	for range slow {
		got++
	}
	if one := <-quick; !one.gone || got != waiting || dropped != 1 {
		t.Errorf("%d changes came before the end, %d were lost, and another client got %v", got, dropped, one)
	}
	endSlow()
	end()
	if n := c.count.Load(); n != 0 || len(c.clients) != 0 {
		t.Errorf("%d clients are left", n)
	}
}

func TestNobodyKnowsWhetherAPodIsReadyThatWasNotLookedAt(t *testing.T) {
	s := corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	before := s.DeepCopy()
	given := *before
	unsettled(&given)
	if given.Phase != corev1.PodPending || given.Conditions[1].Status != corev1.ConditionFalse || given.Conditions[0].Status != corev1.ConditionTrue {
		t.Errorf("got %+v", given)
	}
	if before.Conditions[1].Status != corev1.ConditionTrue {
		t.Error("a status that others have was changed")
	}
}

// serve runs both APIs in a directory.
func serve(t *testing.T, c Config) (pods podsv1alpha1.PodsClient, resources resourcesv1.PodResourcesListerClient) {
	t.Helper()
	dir, err := os.MkdirTemp("", "p") // sockets must have short paths
	if err != nil {
		t.Fatal(err)
	}
	c.RootDir, c.Settled = dir, func(types.UID) bool { return true }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		await.Receive(t, done, "the sockets were closed")
		_ = os.RemoveAll(dir)
	})
	connect := func(name string) *grpc.ClientConn {
		path := filepath.Join(dir, name)
		await.Until(t, path, func() bool { _, err := os.Stat(path); return err == nil })
		conn, err := grpc.NewClient("unix://"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	return podsv1alpha1.NewPodsClient(connect("pods-api/pods-api.sock")), resourcesv1.NewPodResourcesListerClient(connect("pod-resources/kubelet.sock"))
}

func TestPodsOverASocket(t *testing.T) {
	n := &node{pods: []*corev1.Pod{pod("b", "1", corev1.PodRunning), pod("a", "1", corev1.PodSucceeded)}}
	changes, m := &Changes{}, metrics.New("n")
	client, resources := serve(t, Config{Pods: n, Changes: changes, Metrics: m})
	list, err := client.ListPods(t.Context(), &podsv1alpha1.ListPodsRequest{})
	if err != nil || len(list.Pods) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	var first corev1.Pod
	if err := first.Unmarshal(list.Pods[0]); err != nil || first.Name != "a" || first.Status.Phase != corev1.PodSucceeded {
		t.Errorf("the first is %v, %v", first, err)
	}
	one, err := client.GetPod(t.Context(), &podsv1alpha1.GetPodRequest{PodUID: "u-b"})
	var b corev1.Pod
	if err != nil || b.Unmarshal(one.Pod) != nil || b.Name != "b" {
		t.Errorf("got %v, %v", one, err)
	}
	if _, err := client.GetPod(t.Context(), &podsv1alpha1.GetPodRequest{PodUID: "none"}); status.Code(err) != codes.NotFound {
		t.Errorf("of none: %v", err)
	}

	watch, err := client.WatchPods(t.Context(), &podsv1alpha1.WatchPodsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next := func(want podsv1alpha1.EventType, name string) {
		t.Helper()
		event, err := watch.Recv()
		var p corev1.Pod
		if err != nil || event.Type != want || p.Unmarshal(event.Pod) != nil || p.Name != name {
			t.Fatalf("got %v, %v, want %v of %q", event, err, want, name)
		}
	}
	next(podsv1alpha1.EventType_ADDED, "a")
	next(podsv1alpha1.EventType_ADDED, "b")
	next(podsv1alpha1.EventType_INITIAL_SYNC_COMPLETE, "")
	changes.Pod(&b, corev1.PodStatus{Phase: corev1.PodFailed})
	next(podsv1alpha1.EventType_MODIFIED, "b")
	changes.Gone(&b)
	next(podsv1alpha1.EventType_DELETED, "b")

	held, err := resources.List(t.Context(), &resourcesv1.ListPodResourcesRequest{})
	if err != nil || len(held.PodResources) != 1 || held.PodResources[0].Name != "b" || len(held.PodResources[0].Containers) != 2 || held.PodResources[0].Containers[0].Name != "sidecar" {
		t.Errorf("resources: %v, %v", held, err)
	}
	if got, err := resources.Get(t.Context(), &resourcesv1.GetPodResourcesRequest{PodNamespace: "ns", PodName: "a"}); err != nil || got.PodResources.Name != "a" {
		t.Errorf("resources of one: %v, %v", got, err)
	}
	if _, err := resources.Get(t.Context(), &resourcesv1.GetPodResourcesRequest{PodName: "none"}); err == nil {
		t.Error("resources of none")
	}
	if _, err := resources.GetAllocatableResources(t.Context(), &resourcesv1.AllocatableResourcesRequest{}); err != nil {
		t.Error(err)
	}
	const want = `# HELP kubelet_pod_requests_get_total [ALPHA] Single Pods asked of the Pods API, by version and code.
# TYPE kubelet_pod_requests_get_total counter
kubelet_pod_requests_get_total{server_api_version="v1alpha1",status_code="NotFound"} 1
kubelet_pod_requests_get_total{server_api_version="v1alpha1",status_code="OK"} 1
`
	if err := testutil.GatherAndCompare(m.Gatherer(), strings.NewReader(want), "kubelet_pod_requests_get_total"); err != nil {
		t.Error(err)
	}
}

// panicking are Pods that cannot be listed.
type panicking struct{}

func (panicking) Pods() []*corev1.Pod { panic("pods") }

func TestAPanicIsAnAnswer(t *testing.T) {
	client, _ := serve(t, Config{Pods: panicking{}, Changes: &Changes{}})
	if _, err := client.ListPods(t.Context(), &podsv1alpha1.ListPodsRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
	watch, err := client.WatchPods(t.Context(), &podsv1alpha1.WatchPodsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	client, _ := serve(t, Config{Pods: &node{}, Changes: &Changes{}})
	for range 1000 {
		if _, err := client.ListPods(t.Context(), &podsv1alpha1.ListPodsRequest{}); status.Code(err) == codes.ResourceExhausted {
			return
		}
	}
	t.Error("all of 1000 requests at once were answered")
}
