package volumezone

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func TestZonesOfVolumes(t *testing.T) {
	const no = "!node(s) had no available volume zone"
	for name, test := range map[string]struct {
		labels map[string]string
		want   []string
	}{
		"none":         {nil, []string{"ok", "ok", "ok"}},
		"zone":         {map[string]string{corev1.LabelTopologyZone: "a"}, []string{"ok", no, "ok"}},
		"two zones":    {map[string]string{corev1.LabelTopologyZone: "a__b"}, []string{"ok", "ok", "ok"}},
		"older label":  {map[string]string{corev1.LabelFailureDomainBetaZone: "b"}, []string{no, "ok", "ok"}},
		"other region": {map[string]string{corev1.LabelTopologyRegion: "far"}, []string{no, no, "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
			v1 := factory.Core().V1()
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c"}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "v"}}
			if err := v1.PersistentVolumeClaims().Informer().GetStore().Add(claim); err != nil {
				t.Fatal(err)
			}
			if err := v1.PersistentVolumes().Informer().GetStore().Add(&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "v", Labels: test.labels}}); err != nil {
				t.Fatal(err)
			}
			pod := opinions.Pod("p", func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}}}
			})
			zone, region := corev1.LabelTopologyZone+"=", ","+corev1.LabelTopologyRegion+"=near"
			nodes := opinions.Filter(t, New(factory), pod, opinions.Node("a", zone+"a"+region), opinions.Node("b", zone+"b"+region), opinions.Node("none", ""))
			opinions.Expect(t, nodes, test.want...)
		})
	}
}
