// Package storageprotection (StorageObjectInUseProtection) marks volumes, claims and volume attributes classes so that they
// outlive a deletion for as long as they are used.
package storageprotection

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin.
func New() admission.Interface {
	return plugin.Mutating(plugin.On{Operations: []admission.Operation{admission.Create}}, protect)
}

func protect(_ context.Context, a admission.Attributes) error {
	if a.GetSubresource() != "" {
		return nil
	}
	switch obj := a.GetObject().(type) {
	case *corev1.PersistentVolume:
		add(obj, "kubernetes.io/pv-protection")
	case *corev1.PersistentVolumeClaim:
		add(obj, "kubernetes.io/pvc-protection")
	case *storagev1.VolumeAttributesClass:
		add(obj, "kubernetes.io/vac-protection")
	}
	return nil
}

func add(obj metav1.Object, finalizer string) {
	if !slices.Contains(obj.GetFinalizers(), finalizer) {
		obj.SetFinalizers(append(obj.GetFinalizers(), finalizer))
	}
}
