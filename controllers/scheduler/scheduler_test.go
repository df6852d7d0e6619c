package scheduler

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

// world is an API with a scheduler on it.
type world struct {
	t      *testing.T
	client *fake.Clientset
	events *events.FakeRecorder
	pods   watch.Interface
}

func newWorld(t *testing.T, objects ...runtime.Object) *world {
	t.Helper()
	return startWorld(t, newClient(objects...))
}

// newClient binds pods as the API server does. Further reactors are to be added before it is used.
func newClient(objects ...runtime.Object) *fake.Clientset {
	client := fake.NewClientset(objects...)
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "binding" {
			return false, nil, nil
		}
		binding := action.(clienttesting.CreateAction).GetObject().(*corev1.Binding)
		gvr := corev1.SchemeGroupVersion.WithResource("pods")
		object, err := client.Tracker().Get(gvr, action.GetNamespace(), binding.Name)
		if err != nil {
			return true, nil, err
		}
		pod := object.(*corev1.Pod).DeepCopy()
		pod.Spec.NodeName = binding.Target.Name
		return true, binding, client.Tracker().Update(gvr, pod, action.GetNamespace())
	})
	return client
}

func startWorld(t *testing.T, client *fake.Clientset) *world {
	t.Helper()
	w := &world{t: t, client: client, events: events.NewFakeRecorder(1000)}
	s, err := New(Config{Informers: informers.NewSharedInformerFactory(client, 0), Client: client, Events: w.events})
	if err != nil {
		t.Fatal(err)
	}
	w.pods, err = client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := await.Receive(t, done, "the scheduler stopped"); err != nil {
			t.Errorf("Run: %v", err)
		}
		await.Return(t, "the informers stopped", s.informers.Shutdown)
	})
	untilWatched(t, client, "pods", 2)
	untilWatched(t, client, "nodes", 1)
	return w
}

// untilWatched waits until so many watches of a resource have begun: the fake client tells of nothing that happens between
// a list and the watch after it.
func untilWatched(t *testing.T, client *fake.Clientset, resource string, watches int) {
	t.Helper()
	await.Until(t, "watches of "+resource, func() bool {
		begun := 0
		for _, action := range client.Actions() {
			if action.Matches("watch", resource) {
				begun++
			}
		}
		return begun >= watches
	})
}

// until waits for a pod to be as wanted.
func (w *world) until(name, what string, wanted func(*corev1.Pod) bool) *corev1.Pod {
	w.t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case event := <-w.pods.ResultChan():
			if pod, ok := event.Object.(*corev1.Pod); ok && pod.Name == name && wanted(pod) {
				return pod
			}
		case <-timeout:
			w.t.Fatalf("pod %s: not %s in time", name, what)
		}
	}
}

func (w *world) untilOn(name, node string) {
	w.t.Helper()
	w.until(name, "on "+node, func(p *corev1.Pod) bool { return p.Spec.NodeName == node })
}

func (w *world) untilRejected(name, message string) *corev1.Pod {
	w.t.Helper()
	return w.until(name, "rejected with "+message, func(p *corev1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && strings.Contains(c.Message, message) {
				return true
			}
		}
		return false
	})
}

func (w *world) create(pod *corev1.Pod) {
	w.t.Helper()
	if _, err := w.client.CoreV1().Pods(pod.Namespace).Create(w.t.Context(), pod, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func node(name, cpu string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("110"),
		}},
	}
}

func pod(name, cpu string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)},
		Spec: corev1.PodSpec{
			SchedulerName: corev1.DefaultSchedulerName,
			Containers: []corev1.Container{{Name: "c", Image: "image", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
			}}},
		},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func priority(p int32) func(*corev1.Pod) { return func(pod *corev1.Pod) { pod.Spec.Priority = &p } }

func TestPodGoesToTheNodeWithRoom(t *testing.T) {
	w := newWorld(t, node("small", "1"), node("big", "4"))
	w.create(pod("p", "2"))
	w.untilOn("p", "big")
	if event := await.Receive(t, w.events.Events, "an Event"); event != "Normal Scheduled Successfully assigned ns/p to big" {
		t.Errorf("event: %s", event)
	}
}

func TestUnschedulablePodSaysWhyAndFollowsANewNode(t *testing.T) {
	cordoned := node("cordoned", "8")
	cordoned.Spec.Unschedulable = true
	w := newWorld(t, node("small", "1"), cordoned)
	w.create(pod("p", "2"))
	w.untilRejected("p", "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. "+
		"preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.")
	if _, err := w.client.CoreV1().Nodes().Create(t.Context(), node("big", "4"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.untilOn("p", "big")
}

func TestOtherSchedulersPodsAreLeftAlone(t *testing.T) {
	w := newWorld(t, node("n", "4"))
	w.create(pod("theirs", "1", func(p *corev1.Pod) { p.Spec.SchedulerName = "theirs" }))
	w.create(pod("ours", "1"))
	w.untilOn("ours", "n")
	theirs, err := w.client.CoreV1().Pods("ns").Get(t.Context(), "theirs", metav1.GetOptions{})
	if err != nil || theirs.Spec.NodeName != "" {
		t.Errorf("node %q, error %v", theirs.Spec.NodeName, err)
	}
}

func TestGatedPodWaitsForItsGates(t *testing.T) {
	w := newWorld(t, node("n", "4"))
	gated := pod("gated", "1", func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/wait"}} })
	w.create(gated)
	w.create(pod("free", "1"))
	w.untilOn("free", "n")
	open := gated.DeepCopy()
	open.Spec.SchedulingGates = nil
	if _, err := w.client.CoreV1().Pods("ns").Update(t.Context(), open, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.untilOn("gated", "n")
}

func TestImportantPodMakesRoom(t *testing.T) {
	w := newWorld(t, node("n", "2"))
	w.create(pod("low", "2"))
	w.untilOn("low", "n")
	w.create(pod("high", "2", priority(100)))
	w.untilOn("high", "n")
	if _, err := w.client.CoreV1().Pods("ns").Get(t.Context(), "low", metav1.GetOptions{}); err == nil {
		t.Error("the less important pod is still there")
	}
}

// TestRoomIsMadeOnce has a victim that takes its time to leave, as all do.
func TestRoomIsMadeOnce(t *testing.T) {
	client := newClient(node("n", "2"))
	var deletions atomic.Int32
	client.PrependReactor("delete", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		name := action.(clienttesting.DeleteAction).GetName()
		if deletions.Add(1); name != "low" {
			return true, nil, fmt.Errorf("deleting %s", name)
		}
		gvr := corev1.SchemeGroupVersion.WithResource("pods")
		object, err := client.Tracker().Get(gvr, "ns", name)
		if err != nil {
			return true, nil, err
		}
		leaving := object.(*corev1.Pod).DeepCopy()
		leaving.Generation++
		leaving.DeletionTimestamp = ptr.To(metav1.Now())
		return true, nil, client.Tracker().Update(gvr, leaving, "ns")
	})
	w := startWorld(t, client)
	w.create(pod("low", "2"))
	w.untilOn("low", "n")
	w.create(pod("high", "2", priority(100)))
	w.until("high", "nominated", func(p *corev1.Pod) bool { return p.Status.NominatedNodeName == "n" })
	// Another pod's event makes the scheduler look at the waiting one again.
	if _, err := w.client.CoreV1().Nodes().Create(t.Context(), node("small", "1"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.create(pod("other", "1", priority(50)))
	w.untilOn("other", "small")
	if n := deletions.Load(); n != 1 {
		t.Errorf("%d deletions, want 1", n)
	}
	if err := w.client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "ns", "low"); err != nil {
		t.Fatal(err)
	}
	w.untilOn("high", "n")
}

func TestManyPodsFillNodesWithoutOvercommitment(t *testing.T) {
	w := newWorld(t, node("a", "2"), node("b", "2"))
	for _, name := range []string{"1", "2", "3", "4"} {
		w.create(pod(name, "1"))
	}
	on := map[string]string{}
	await.Match(t, w.pods.ResultChan(), "all four are on Nodes", func(event watch.Event) bool {
		if p := event.Object.(*corev1.Pod); p.Spec.NodeName != "" {
			on[p.Name] = p.Spec.NodeName
		}
		return len(on) == 4
	})
	counts := map[string]int{}
	for _, name := range on {
		counts[name]++
	}
	if counts["a"] != 2 || counts["b"] != 2 {
		t.Errorf("pods by node: %v", counts)
	}
	w.create(pod("5", "1"))
	w.untilRejected("5", "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.")
}
