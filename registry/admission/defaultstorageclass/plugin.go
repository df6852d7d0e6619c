// Package defaultstorageclass gives claims without a class the default one.
package defaultstorageclass

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin.
func New(factory informers.SharedInformerFactory) admission.Interface {
	classes := factory.Storage().V1().StorageClasses()
	lister := classes.Lister()
	return plugin.Mutating(plugin.On{
		Operations: []admission.Operation{admission.Create}, Resources: []string{"persistentvolumeclaims"},
		Synced: []cache.InformerSynced{classes.Informer().HasSynced},
	}, func(_ context.Context, a admission.Attributes) error {
		claim, err := plugin.Object[*corev1.PersistentVolumeClaim](a)
		if err != nil || hasClass(claim) {
			return err
		}
		all, err := lister.List(labels.Everything())
		if err != nil {
			return admission.NewForbidden(a, err)
		}
		if class := volume.DefaultClass(all); class != nil {
			claim.Spec.StorageClassName = &class.Name
		}
		return nil
	})
}

func hasClass(claim *corev1.PersistentVolumeClaim) bool {
	_, annotated := claim.Annotations[corev1.BetaStorageClassAnnotation]
	return annotated || claim.Spec.StorageClassName != nil
}
