// Package defaultstorageclass gives claims without a class the default one.
package defaultstorageclass

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

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
		if class := defaultOf(all); class != nil {
			claim.Spec.StorageClassName = &class.Name
		}
		return nil
	})
}

func hasClass(claim *corev1.PersistentVolumeClaim) bool {
	_, annotated := claim.Annotations[corev1.BetaStorageClassAnnotation]
	return annotated || claim.Spec.StorageClassName != nil
}

// defaultOf is the newest of the classes marked as default; nil if there is none.
func defaultOf(classes []*storagev1.StorageClass) *storagev1.StorageClass {
	var marked []*storagev1.StorageClass
	for _, c := range classes {
		if c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" || c.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true" {
			marked = append(marked, c)
		}
	}
	if len(marked) == 0 {
		return nil
	}
	return slices.MinFunc(marked, func(a, b *storagev1.StorageClass) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
}
