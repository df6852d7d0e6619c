package volumebinding

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func TestNodesWhoseVolumesStayFreeAreBetter(t *testing.T) {
	asks := func(name, of, size string) *corev1.PersistentVolumeClaim {
		return claim(name, of, func(c *corev1.PersistentVolumeClaim) {
			c.Spec.Resources.Requests = opinions.Resources("storage=" + size)
		})
	}
	sized := func(name, of, node, size string) *corev1.PersistentVolume {
		v := pv(name, of, node)
		v.Spec.Capacity = opinions.Resources("storage=" + size)
		return v
	}
	for name, test := range map[string]struct {
		claims  []string
		objects []runtime.Object
		want    []int64
	}{
		"one claim": {[]string{"a"}, []runtime.Object{asks("a", "late", "2Gi"), sized("v1", "late", "n1", "2Gi"), sized("v2", "late", "n2", "8Gi")}, []int64{0, 75}},
		"two of a class": {[]string{"a", "b"}, []runtime.Object{asks("a", "late", "1Gi"), asks("b", "late", "1Gi"),
			sized("v1", "late", "n1", "1Gi"), sized("v2", "late", "n1", "3Gi"), sized("v3", "late", "n2", "2Gi"), sized("v4", "late", "n2", "8Gi")}, []int64{50, 80}},
		"two classes": {[]string{"a", "b"}, []runtime.Object{asks("a", "late", "1Gi"), asks("b", "other", "1Gi"),
			sized("v1", "late", "n1", "4Gi"), sized("v2", "other", "n1", "2Gi"), sized("v3", "late", "n2", "1Gi"), sized("v4", "other", "n2", "1Gi")}, []int64{63, 0}},
		"one that is to be made": {[]string{"a"}, []runtime.Object{asks("a", "made", "1Gi")}, []int64{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			const none = "kubernetes.io/no-provisioner"
			late := storagev1.VolumeBindingWaitForFirstConsumer
			p := newPlugin(t, append(test.objects, class("late", none, late), class("other", none, late), class("made", "example.com/disks", late))...)
			label := corev1.LabelHostname + "="
			got := opinions.Score(t, p, using(test.claims...), opinions.Node("n1", label+"n1"), opinions.Node("n2", label+"n2"))
			opinions.Expect(t, got, test.want...)
		})
	}
}
