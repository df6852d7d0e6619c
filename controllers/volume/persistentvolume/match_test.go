package persistentvolume

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func storage(size string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
}

type change func(*corev1.PersistentVolume)

func pv(name, size string, changes ...change) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"disk": name}}, Spec: corev1.PersistentVolumeSpec{
		Capacity: storage(size), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: "fast",
	}}
	for _, c := range changes {
		c(v)
	}
	return v
}

func of(class string) change {
	return func(v *corev1.PersistentVolume) { v.Spec.StorageClassName = class }
}
func block(v *corev1.PersistentVolume) { v.Spec.VolumeMode = ptr.To(corev1.PersistentVolumeBlock) }
func reserved(name string, uid types.UID) change {
	return func(v *corev1.PersistentVolume) {
		v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "ns", Name: name, UID: uid}
	}
}

func pvc() *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", UID: "c"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: ptr.To("fast"),
		Resources: corev1.VolumeResourceRequirements{Requests: storage("5Gi")},
	}}
}

func TestChoose(t *testing.T) {
	named := pvc()
	named.Spec.VolumeName = "b"
	picky := pvc()
	picky.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"disk": "b"}}
	many := pvc()
	many.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	for name, test := range map[string]struct {
		claim   *corev1.PersistentVolumeClaim
		volumes []*corev1.PersistentVolume
		want    string
	}{
		"the smallest that is enough": {pvc(), []*corev1.PersistentVolume{pv("a", "9Gi"), pv("b", "6Gi"), pv("c", "1Gi")}, "b"},
		"none is enough":              {pvc(), []*corev1.PersistentVolume{pv("a", "1Gi")}, ""},
		"of the same class":           {pvc(), []*corev1.PersistentVolume{pv("a", "9Gi", of("slow"))}, ""},
		"of the same mode":            {pvc(), []*corev1.PersistentVolume{pv("a", "9Gi", block)}, ""},
		"with the access asked for":   {many, []*corev1.PersistentVolume{pv("a", "9Gi")}, ""},
		"one that is another's":       {pvc(), []*corev1.PersistentVolume{pv("a", "9Gi", reserved("other", ""))}, ""},
		"one that is reserved":        {pvc(), []*corev1.PersistentVolume{pv("a", "6Gi"), pv("b", "9Gi", reserved("c", ""))}, "b"},
		"one of a former claim":       {pvc(), []*corev1.PersistentVolume{pv("a", "9Gi", reserved("c", "x"))}, ""},
		"the one that it names":       {named, []*corev1.PersistentVolume{pv("a", "6Gi"), pv("b", "9Gi")}, "b"},
		"one that it selects":         {picky, []*corev1.PersistentVolume{pv("a", "6Gi"), pv("b", "9Gi")}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if v := choose(test.claim, test.volumes); v != nil {
				got = v.Name
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPhase(t *testing.T) {
	bound := pvc()
	bound.Spec.VolumeName = "a"
	ours := pv("a", "9Gi")
	ours.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "ns", Name: "c", UID: "c"}
	for name, test := range map[string]struct {
		v     *corev1.PersistentVolume
		claim *corev1.PersistentVolumeClaim
		want  corev1.PersistentVolumePhase
	}{
		"free":             {pv("a", "9Gi"), nil, corev1.VolumeAvailable},
		"reserved":         {pv("a", "9Gi", reserved("c", "")), pvc(), corev1.VolumeAvailable},
		"bound":            {ours, bound, corev1.VolumeBound},
		"its claim is not": {ours, pvc(), corev1.VolumeAvailable},
		"claim is gone":    {ours, nil, corev1.VolumeReleased},
	} {
		t.Run(name, func(t *testing.T) {
			if got := phaseOf(test.v, test.claim); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
