// Package opinions helps to test plugins: what does one say of a pod and some nodes?
package opinions

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// Pod returns a pod with one container.
func Pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "image"}}},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

// Requests makes the first container ask for resources: "cpu=1,memory=1Gi".
func Requests(list string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Resources.Requests = Resources(list) }
}

// Labels sets labels: "a=1,b=2".
func Labels(list string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Labels = pairs(list) }
}

// Resources reads a list of quantities: "cpu=1,memory=1Gi".
func Resources(list string) corev1.ResourceList {
	resources := corev1.ResourceList{}
	for name, value := range pairs(list) {
		resources[corev1.ResourceName(name)] = resource.MustParse(value)
	}
	return resources
}

// Node returns a node with labels "a=1,b=2", its hostname among them, with 4
// CPUs and 8 GiB, and the given pods on it.
func Node(name, labels string, pods ...*corev1.Pod) *snapshot.Node {
	node := snapshot.NewNode(Object(name, labels))
	for _, pod := range pods {
		parsed, err := snapshot.NewPod(pod)
		if err != nil {
			panic(err)
		}
		node.Add(parsed)
	}
	return node
}

// Object is what Node is about.
func Object(name, labels string, change ...func(*corev1.Node)) *corev1.Node {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: pairs(labels)},
		Status:     corev1.NodeStatus{Allocatable: Resources("cpu=4,memory=8Gi,pods=10,ephemeral-storage=100Gi")},
	}
	node.Labels[corev1.LabelHostname] = name
	for _, c := range change {
		c(node)
	}
	return node
}

func pairs(list string) map[string]string {
	all := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			all[key] = value
		}
	}
	return all
}

// Filter returns what a plugin says of each node: "ok", or its reasons with
// "!" where no eviction would help. A plugin that rejects the pod for all
// nodes gives one answer, after "all: ".
func Filter(t *testing.T, plugin framework.Plugin, pod *corev1.Pod, nodes ...*snapshot.Node) []string {
	t.Helper()
	parsed, err := snapshot.NewPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	opinion, status := plugin.Prepare(parsed, snapshot.Of(nodes...))
	if status != nil {
		return []string{"all: " + verdict(status)}
	}
	said := make([]string, len(nodes))
	for i, node := range nodes {
		said[i] = "ok"
		if opinion.Only != nil && !opinion.Only.Has(node.Name) {
			said[i] = "not in question"
		} else if opinion.Filter != nil {
			said[i] = verdict(opinion.Filter(node))
		}
	}
	return said
}

func verdict(status *framework.Status) string {
	switch {
	case status == nil:
		return "ok"
	case status.Code == framework.Unresolvable:
		return "!" + status.String()
	}
	return status.String()
}

// Score returns the scores of all nodes, or none when the plugin does not care.
func Score(t *testing.T, plugin framework.Plugin, pod *corev1.Pod, nodes ...*snapshot.Node) []int64 {
	t.Helper()
	parsed, err := snapshot.NewPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	opinion, status := plugin.Prepare(parsed, snapshot.Of(nodes...))
	if status != nil {
		t.Fatalf("rejected: %s", status)
	}
	if opinion.Score == nil {
		return nil
	}
	return opinion.Score(nodes)
}

// Expect compares what was said with what should be.
func Expect[T comparable](t *testing.T, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Helps says whether an event would make the queue try a pod again that the plugin rejected.
func Helps(plugin framework.Plugin, pod *corev1.Pod, event framework.Event) bool {
	return slices.ContainsFunc(plugin.Interests(), func(i framework.Interest) bool {
		return i.Actions&event.Action != 0 && (i.Helps == nil || i.Helps(pod, event))
	})
}
