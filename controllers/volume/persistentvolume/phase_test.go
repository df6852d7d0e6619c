package persistentvolume

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

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
