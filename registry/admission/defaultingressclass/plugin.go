// Package defaultingressclass gives Ingresses without a class the default one.
package defaultingressclass

import (
	"cmp"
	"context"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// classAnnotation named the class before there was a field.
const classAnnotation = "kubernetes.io/ingress.class"

// New makes the plugin.
func New(factory informers.SharedInformerFactory) admission.Interface {
	classes := factory.Networking().V1().IngressClasses()
	lister := classes.Lister()
	return plugin.Mutating(plugin.On{
		Operations: []admission.Operation{admission.Create}, Group: networkingv1.GroupName, Resources: []string{"ingresses"},
		Synced: []cache.InformerSynced{classes.Informer().HasSynced},
	}, func(_ context.Context, a admission.Attributes) error {
		ingress, err := plugin.Object[*networkingv1.Ingress](a)
		if err != nil {
			return err
		}
		if _, annotated := ingress.Annotations[classAnnotation]; annotated || ingress.Spec.IngressClassName != nil {
			return nil
		}
		all, err := lister.List(labels.Everything())
		if err != nil {
			return admission.NewForbidden(a, err)
		}
		if class := defaultOf(all); class != nil {
			ingress.Spec.IngressClassName = &class.Name
		}
		return nil
	})
}

// defaultOf is the newest of the classes marked as default; nil if there is none.
func defaultOf(classes []*networkingv1.IngressClass) *networkingv1.IngressClass {
	var marked []*networkingv1.IngressClass
	for _, c := range classes {
		if c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
			marked = append(marked, c)
		}
	}
	if len(marked) == 0 {
		return nil
	}
	return slices.MinFunc(marked, func(a, b *networkingv1.IngressClass) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
}
