package volumerestrictions

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func claim(name string) func(*corev1.Pod) {
	return volume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}})
}

func volume(source corev1.VolumeSource) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: source}) }
}

func iscsi(iqn string, readOnly bool) func(*corev1.Pod) {
	return volume(corev1.VolumeSource{ISCSI: &corev1.ISCSIVolumeSource{IQN: iqn, ReadOnly: readOnly}})
}

func newPlugin(t *testing.T) *Plugin {
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	for name, mode := range map[string]corev1.PersistentVolumeAccessMode{"single": corev1.ReadWriteOncePod, "shared": corev1.ReadWriteMany} {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{mode}}}
		if err := factory.Core().V1().PersistentVolumeClaims().Informer().GetStore().Add(c); err != nil {
			t.Fatal(err)
		}
	}
	return New(factory)
}

func TestUsersOfOneVolume(t *testing.T) {
	const disk = "node(s) had no available disk"
	const used = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
	for name, test := range map[string]struct {
		running, pod func(*corev1.Pod)
		want         []string
	}{
		"a shared claim":            {claim("shared"), claim("shared"), []string{"ok", "ok"}},
		"a claim for one pod":       {claim("single"), claim("single"), []string{used, used}},
		"another claim":             {claim("shared"), claim("single"), []string{"ok", "ok"}},
		"no such claim":             {claim("shared"), claim("none"), []string{`all: !persistentvolumeclaim "none" not found`}},
		"a disk":                    {iscsi("a", false), iscsi("a", true), []string{disk, "ok"}},
		"a disk that all only read": {iscsi("a", true), iscsi("a", true), []string{"ok", "ok"}},
		"another disk":              {iscsi("a", false), iscsi("b", false), []string{"ok", "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := opinions.Node("a", "", opinions.Pod("running", test.running))
			opinions.Expect(t, opinions.Filter(t, newPlugin(t), opinions.Pod("p", test.pod), nodes, opinions.Node("b", "")), test.want...)
		})
	}
}

func TestTheUserOfAVolumeHelpsByGoing(t *testing.T) {
	pod := opinions.Pod("p", claim("single"))
	for name, want := range map[string]bool{"single": true, "shared": false} {
		event := framework.Event{Action: framework.PodRemoved, Old: opinions.Pod("gone", claim(name))}
		if got := opinions.Helps(newPlugin(t), pod, event); got != want {
			t.Errorf("a user of %s helps: %v, want %v", name, got, want)
		}
	}
}
