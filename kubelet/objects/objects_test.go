package objects

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestOnlyUsersHearOfChanges(t *testing.T) {
	x := newIndex()
	var heard []types.UID
	x.OnChange(func(uid types.UID) { heard = append(heard, uid) })
	pod := func(uid types.UID, names ...string) *corev1.Pod {
		p := &corev1.Pod{}
		p.UID, p.Namespace = uid, "ns"
		for _, name := range names {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{
				Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}},
			}})
		}
		return p
	}
	first, _ := x.set("a", refsOf(pod("a", "one", "two")))
	if len(first) != 2 {
		t.Errorf("first users: %v", first)
	}
	if first, _ := x.set("b", refsOf(pod("b", "two"))); len(first) != 0 {
		t.Errorf("first users: %v", first)
	}
	x.changed(ref{configMap, "ns", "two"})
	x.changed(ref{configMap, "other", "two"})
	x.changed(ref{secret, "ns", "two"})
	slices.Sort(heard)
	if !slices.Equal(heard, []types.UID{"a", "b"}) {
		t.Errorf("heard by %v", heard)
	}
	if _, unused := x.set("a", nil); len(unused) != 1 || unused[0].name != "one" {
		t.Errorf("unused: %v", unused)
	}
	if len(x.pods) != 1 || len(x.users) != 1 {
		t.Errorf("kept: %v %v", x.pods, x.users)
	}
}

func TestReferences(t *testing.T) {
	p := &corev1.Pod{}
	p.Namespace = "ns"
	named := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{named("pull")}
	p.Spec.InitContainers = []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("from")}}}}}
	p.Spec.Containers = []corev1.Container{{Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("key")}}}}}}
	p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "volume"}}}}
	got := refsOf(p)
	for _, want := range []ref{{secret, "ns", "pull"}, {configMap, "ns", "from"}, {secret, "ns", "key"}, {secret, "ns", "volume"}} {
		if !got[want] {
			t.Errorf("lacks %v", want)
		}
	}
	if len(got) != 4 {
		t.Errorf("got %v", got)
	}
}
