package defaultstorageclass

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestEmptyClassIsAClass(t *testing.T) {
	if !hasClass(&corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: new("")}}) {
		t.Error("a claim without a class on purpose would get one")
	}
	if hasClass(&corev1.PersistentVolumeClaim{}) {
		t.Error("a claim that says nothing would get none")
	}
}
