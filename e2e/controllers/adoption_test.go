package controllers_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The documented way to change what cannot be changed in place: delete with --cascade=orphan, and create again.

func TestStatefulSetAdoptsPodsAndHistoryWithoutRestart(t *testing.T) {
	ns := namespace(t)
	set := func() *appsv1.StatefulSet {
		return &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "db"},
			Spec:       appsv1.StatefulSetSpec{Replicas: ptr.To[int32](2), ServiceName: "db", Selector: selector(), Template: template()},
		}
	}
	whole := func(s *appsv1.StatefulSet) func() error {
		return func() error {
			runPods(t, ns)
			if s.Status.AvailableReplicas != 2 || s.Status.UpdatedReplicas != 2 || s.Status.ObservedGeneration != s.Generation {
				return fmt.Errorf("status %+v", s.Status)
			}
			return nil
		}
	}
	first := set()
	create(t, first)
	eventually(t, first, whole(first))
	again := set()
	orphanAndReplace(t, ns, first, again, func() { eventually(t, again, whole(again)) })
	if again.Status.UpdateRevision != first.Status.UpdateRevision || ptr.Deref(again.Status.CollisionCount, 0) != 0 {
		t.Errorf("revision %s after %d collisions, before it was %s", again.Status.UpdateRevision,
			ptr.Deref(again.Status.CollisionCount, 0), first.Status.UpdateRevision)
	}
}

func TestDaemonSetAdoptsPodsAndHistoryWithoutRestart(t *testing.T) {
	ns := namespace(t)
	for _, name := range []string{"adopting-a", "adopting-b"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"daemons": ns}}}
		create(t, node)
		// Too many Nodes that are never ready, and others' tests see no evictions.
		t.Cleanup(func() { _ = admin.Delete(context.Background(), node) })
	}
	set := func() *appsv1.DaemonSet {
		ds := &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "d"},
			Spec:       appsv1.DaemonSetSpec{Selector: selector(), Template: template()},
		}
		ds.Spec.Template.Spec.NodeSelector = map[string]string{"daemons": ns}
		ds.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		return ds
	}
	whole := func(ds *appsv1.DaemonSet) func() error {
		return func() error {
			daemonPods(t, ns)
			if s := ds.Status; s.DesiredNumberScheduled != 2 || s.NumberAvailable != 2 || s.UpdatedNumberScheduled != 2 || s.ObservedGeneration != ds.Generation {
				return fmt.Errorf("status %+v", s)
			}
			return nil
		}
	}
	first := set()
	create(t, first)
	eventually(t, first, whole(first))
	again := set()
	orphanAndReplace(t, ns, first, again, func() { eventually(t, again, whole(again)) })
	if n := ptr.Deref(again.Status.CollisionCount, 0); n != 0 {
		t.Errorf("%d collisions", n)
	}
}

// orphanAndReplace deletes the first but not its Pods, creates the second, and once settled has returned, expects the
// same Pods and the same revision, all of the second.
func orphanAndReplace(t *testing.T, ns string, first, second client.Object, settled func()) {
	t.Helper()
	before := uids(list(t, &corev1.PodList{}, ns))
	if err := admin.Delete(t.Context(), first, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	gone(t, first)
	create(t, second)
	settled()
	pods := list(t, &corev1.PodList{}, ns)
	if after := uids(pods); !slices.Equal(after, before) {
		t.Errorf("pods %v, before there were %v", after, before)
	}
	for i := range pods.Items {
		if !metav1.IsControlledBy(&pods.Items[i], second) {
			t.Errorf("owners of %s: %v", pods.Items[i].Name, pods.Items[i].OwnerReferences)
		}
	}
	revisions := list(t, &appsv1.ControllerRevisionList{}, ns)
	if len(revisions.Items) != 1 || !metav1.IsControlledBy(&revisions.Items[0], second) {
		t.Errorf("revisions %v, want one, adopted", revisions.Items)
	}
}

func uids(pods *corev1.PodList) []types.UID {
	var all []types.UID
	for i := range pods.Items {
		all = append(all, pods.Items[i].UID)
	}
	slices.Sort(all)
	return all
}
