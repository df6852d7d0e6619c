package ephemeral

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestClaimIsTheTemplateOwnedByThePod(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db-0", UID: "1"}}
	spec := corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("fast"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}}
	volume := &corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
		VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}}, Spec: spec,
		},
	}}}
	got := claimOf(pod, volume)
	want := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "db-0-scratch", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Pod", Name: "db-0", UID: "1", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
			}},
		},
		Spec: spec,
	}
	if !apiequality.Semantic.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got.Labels["a"] = "changed"; volume.Ephemeral.VolumeClaimTemplate.Labels["a"] != "b" {
		t.Error("the claim shares the Pod's labels")
	}
}

func TestGoneClaimWakesThePodsThatItMayBeOf(t *testing.T) {
	for claim, want := range map[string][]string{
		"db-0-scratch": {"db", "db-0"},
		"plain":        nil,
		"a-b":          {"a"},
	} {
		var got []string
		for _, request := range podsOf(t.Context(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: claim}}) {
			if got = append(got, request.Name); request.Namespace != "ns" {
				t.Errorf("in namespace %s", request.Namespace)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s wakes %v, want %v", claim, got, want)
		}
	}
}
