package nodevolumelimits

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func TestDriversMayKeepPodsOffNodesWithoutThem(t *testing.T) {
	const no = "d CSI driver is not installed on the node"
	csi := corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "d"}}
	path := corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
	for name, test := range map[string]struct {
		prevents *bool
		volume   *corev1.PersistentVolumeSource // nil: the claim is not bound
		class    string
		want     []string
	}{
		"bound":                        {prevents: new(true), volume: &csi, want: []string{"ok", no, no}},
		"to be made":                   {prevents: new(true), class: "c", want: []string{"ok", no, no}},
		"the driver does not say so":   {volume: &csi, want: []string{"ok", "ok", "ok"}},
		"the driver says that it may":  {prevents: new(false), volume: &csi, want: []string{"ok", "ok", "ok"}},
		"a volume without a driver":    {prevents: new(true), volume: &path, class: "c", want: []string{"ok", "ok", "ok"}},
		"a class that is not there":    {prevents: new(true), class: "other", want: []string{"ok", "ok", "ok"}},
		"neither a volume nor a class": {prevents: new(true), want: []string{"ok", "ok", "ok"}},
	} {
		for _, ephemeral := range []bool{false, true} {
			factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
			core, storage := factory.Core().V1(), factory.Storage().V1()
			add := func(to cache.SharedIndexInformer, object any) {
				if err := to.GetStore().Add(object); err != nil {
					t.Fatal(err)
				}
			}
			named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-v"}}
			claim.Spec.StorageClassName = &test.class
			if test.volume != nil {
				claim.Spec.VolumeName = "pv"
				add(core.PersistentVolumes().Informer(), &corev1.PersistentVolume{ObjectMeta: named("pv"), Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: *test.volume}})
			}
			add(core.PersistentVolumeClaims().Informer(), claim)
			add(storage.StorageClasses().Informer(), &storagev1.StorageClass{ObjectMeta: named("c"), Provisioner: "d"})
			add(storage.CSIDrivers().Informer(), &storagev1.CSIDriver{ObjectMeta: named("d"), Spec: storagev1.CSIDriverSpec{PreventPodSchedulingIfMissing: test.prevents}})
			add(storage.CSINodes().Informer(), &storagev1.CSINode{ObjectMeta: named("has"), Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "d"}}}})
			add(storage.CSINodes().Informer(), &storagev1.CSINode{ObjectMeta: named("lacks")})
			pod := opinions.Pod("p", func(p *corev1.Pod) {
				source := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "p-v"}}
				if ephemeral {
					source = corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}
				}
				p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: source}}
			})
			t.Run(name, func(t *testing.T) {
				got := opinions.Filter(t, New(factory), pod, opinions.Node("has", ""), opinions.Node("lacks", ""), opinions.Node("unknown", ""))
				opinions.Expect(t, got, test.want...)
			})
		}
	}
}
