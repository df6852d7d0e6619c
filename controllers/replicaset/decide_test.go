package replicaset

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func replicaSet(replicas int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "rs", Generation: 3},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web", "tier": "a"}}},
		},
	}
}

type podOption func(*corev1.Pod)

func pod(name string, options ...podOption) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID(name), Labels: map[string]string{"app": "web", "tier": "a"},
			CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
		},
		Spec:   corev1.PodSpec{NodeName: "n1"},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, option := range options {
		option(p)
	}
	return p
}

func ready(ago time.Duration) podOption {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-ago)),
		}}
	}
}

func onNode(name string) podOption { return func(p *corev1.Pod) { p.Spec.NodeName = name } }
func inPhase(phase corev1.PodPhase) podOption {
	return func(p *corev1.Pod) { p.Status.Phase = phase }
}
func cost(n string) podOption {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.PodDeletionCost: n} }
}
func restarted(n int32) podOption {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: n}} }
}

func names(pods []*corev1.Pod) []string {
	var all []string
	for _, p := range pods {
		all = append(all, p.Name)
	}
	return all
}

func TestDecideMakesTheNumberRight(t *testing.T) {
	deleted := replicaSet(3)
	deleted.DeletionTimestamp = ptr.To(metav1.NewTime(now))
	for name, test := range map[string]struct {
		set    *appsv1.ReplicaSet
		active []*corev1.Pod
		create int
		remove []string
	}{
		"too few":              {set: replicaSet(3), active: []*corev1.Pod{pod("a")}, create: 2},
		"enough":               {set: replicaSet(1), active: []*corev1.Pod{pod("a")}},
		"too many":             {set: replicaSet(1), active: []*corev1.Pod{pod("a", ready(time.Hour)), pod("b")}, remove: []string{"b"}},
		"one that is deleted":  {set: deleted},
		"no more than a burst": {set: replicaSet(2000), create: 500},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(test.set, observation{active: test.active, related: test.active}, now)
			if got.create != test.create || !slices.Equal(names(got.remove), test.remove) {
				t.Errorf("creates %d and removes %v, want %d and %v", got.create, names(got.remove), test.create, test.remove)
			}
		})
	}
}

func TestDecideRemovesTheLeastUsefulFirst(t *testing.T) {
	for name, test := range map[string][2]*corev1.Pod{
		"unscheduled":             {pod("x", onNode("")), pod("y", inPhase(corev1.PodPending))},
		"pending":                 {pod("x", inPhase(corev1.PodPending)), pod("y")},
		"unready":                 {pod("x"), pod("y", ready(time.Hour))},
		"cheaper":                 {pod("x", ready(time.Hour), cost("-5")), pod("y", ready(time.Hour))},
		"crowded node":            {pod("x", ready(time.Hour)), pod("y", ready(time.Hour), onNode("n2"))},
		"ready for a short time":  {pod("x", ready(time.Second)), pod("y", ready(time.Hour))},
		"restarted more":          {pod("x", restarted(4)), pod("y")},
		"same magnitude: by UID":  {pod("x", ready(61*time.Minute)), pod("y", ready(60*time.Minute))},
		"invalid cost is no cost": {pod("x"), pod("y", ready(time.Hour), cost("+1"))},
	} {
		t.Run(name, func(t *testing.T) {
			both := []*corev1.Pod{test[1], test[0]}
			got := decide(replicaSet(1), observation{active: both, related: append(both, pod("z"))}, now)
			if !slices.Equal(names(got.remove), []string{"x"}) {
				t.Errorf("removes %v, want x", names(got.remove))
			}
		})
	}
}

func TestDecideComesBackWhenThePodBecomesAvailable(t *testing.T) {
	set := replicaSet(2)
	set.Spec.MinReadySeconds = 30
	got := decide(set, observation{active: []*corev1.Pod{pod("a", ready(10*time.Second)), pod("b", ready(time.Minute))}}, now)
	if got.again != 20*time.Second {
		t.Errorf("comes back in %s, want 20s", got.again)
	}
}

func TestStatusCounts(t *testing.T) {
	set := replicaSet(3)
	set.Spec.MinReadySeconds = 30
	other := pod("c")
	delete(other.Labels, "tier")
	status := statusOf(set, observation{
		active:      []*corev1.Pod{pod("a", ready(time.Minute)), pod("b", ready(time.Second)), other},
		terminating: []*corev1.Pod{pod("d")},
	}, nil, now)
	got := fmt.Sprintln(status.Replicas, status.FullyLabeledReplicas, status.ReadyReplicas, status.AvailableReplicas,
		*status.TerminatingReplicas, status.ObservedGeneration)
	if want := fmt.Sprintln(3, 2, 2, 1, 1, 3); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStatusTellsOfFailureUntilItIsOver(t *testing.T) {
	set := replicaSet(1)
	first := statusOf(set, observation{}, errors.New("quota"), now)
	if len(first.Conditions) != 1 || first.Conditions[0].Reason != "FailedCreate" || first.Conditions[0].Message != "quota" {
		t.Fatalf("conditions %v, want FailedCreate with the error", first.Conditions)
	}
	set.Status = first
	second := statusOf(set, observation{}, errors.New("another"), now.Add(time.Minute))
	if second.Conditions[0].Message != "quota" || !second.Conditions[0].LastTransitionTime.Time.Equal(now) {
		t.Errorf("conditions %v, want the first failure kept", second.Conditions)
	}
	if third := statusOf(set, observation{}, nil, now); len(third.Conditions) != 0 {
		t.Errorf("conditions %v after success, want none", third.Conditions)
	}
}
