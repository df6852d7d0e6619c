// Package claimresize (PersistentVolumeClaimResize) lets claims grow only where their class allows it.
package claimresize

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-helpers/storage/volume"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin.
func New(factory informers.SharedInformerFactory) admission.Interface {
	classes := factory.Storage().V1().StorageClasses()
	lister := classes.Lister()
	expandable := func(class string) bool {
		c, err := lister.Get(class)
		return err == nil && c.AllowVolumeExpansion != nil && *c.AllowVolumeExpansion
	}
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Update}, Resources: []string{"persistentvolumeclaims"},
		Synced: []cache.InformerSynced{classes.Informer().HasSynced},
	}, func(_ context.Context, a admission.Attributes) error {
		claim, err := plugin.Object[*corev1.PersistentVolumeClaim](a)
		if err != nil {
			return err
		}
		old, err := plugin.Old[*corev1.PersistentVolumeClaim](a)
		if err != nil {
			return err
		}
		if err := check(claim, old, expandable); err != nil {
			return admission.NewForbidden(a, err)
		}
		return nil
	})
}

func check(claim, old *corev1.PersistentVolumeClaim, expandable func(class string) bool) error {
	size, before := claim.Spec.Resources.Requests[corev1.ResourceStorage], old.Spec.Resources.Requests[corev1.ResourceStorage]
	if size.Cmp(before) <= 0 {
		return nil
	}
	if old.Status.Phase != corev1.ClaimBound {
		return errors.New("Only bound persistent volume claims can be expanded")
	}
	class := volume.GetPersistentVolumeClaimClass(claim)
	if class == "" || class != volume.GetPersistentVolumeClaimClass(old) || !expandable(class) {
		return errors.New("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize")
	}
	return nil
}
