package disruption

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/controllers/owned"
)

func named(name string, owner ...metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), Labels: map[string]string{"app": "web"}, OwnerReferences: owner}
}

// A budget must not block everything because somebody runs a Pod by hand, or because a custom controller owns ReplicaSets.
func TestWhoseNumberCounts(t *testing.T) {
	rollout := metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Rollout", Name: "r", UID: "r", Controller: ptr.To(true)}
	set := &appsv1.ReplicaSet{ObjectMeta: named("set", rollout), Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](4)}}
	of := owned.Reference(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	recorder := events.NewFakeRecorder(1)
	r := &controller{recorder: recorder, client: fake.NewClientBuilder().WithObjects(set,
		&corev1.Pod{ObjectMeta: named("a", of)}, &corev1.Pod{ObjectMeta: named("b", of)}, &corev1.Pod{ObjectMeta: named("by-hand")}).Build()}
	b := budget("", "1")
	b.Namespace, b.Spec.Selector = "ns", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	pods, scale, err := r.observe(t.Context(), b)
	if err != nil || len(pods) != 3 || scale != 4 {
		t.Fatalf("got %d pods of %d, %v; want 3 of 4", len(pods), scale, err)
	}
	if event := await.Receive(t, recorder.Events, "an Event"); !strings.Contains(event, "UnmanagedPods") {
		t.Errorf("told %q", event)
	}
}

func TestStaleTargetIsTakenBack(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: named("a")}
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", LastTransitionTime: metav1.NewTime(now),
	}}
	at := now.Add(time.Minute)
	r := &stale{client: fake.NewClientBuilder().WithObjects(pod).WithStatusSubresource(pod).Build(), now: func() time.Time { return at }}
	look := func() (time.Duration, corev1.ConditionStatus) {
		var current corev1.Pod
		if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(pod), &current); err != nil {
			t.Fatal(err)
		}
		result, err := r.Reconcile(t.Context(), &current)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(pod), &current); err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter, core.PodCondition(&current, corev1.DisruptionTarget).Status
	}
	if again, status := look(); again != time.Minute || status != corev1.ConditionTrue {
		t.Errorf("after a minute: %s, again in %v", status, again)
	}
	at = now.Add(staleAfter)
	if again, status := look(); again != 0 || status != corev1.ConditionFalse {
		t.Errorf("after two: %s, again in %v", status, again)
	}
	byKubelet := pod.DeepCopy()
	byKubelet.Status.Conditions[0].Reason = corev1.PodReasonTerminationByKubelet
	if isTarget(byKubelet) {
		t.Error("what the kubelet ends is taken back")
	}
}
