package agent

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// newInformers see what a node may and needs to: of Pods only its own.
func newInformers(client kubernetes.Interface, name string) informers.SharedInformerFactory {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(lean(name)))
	own := func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", name).String()
	}
	// Whoever asks the factory for Pods gets the informer that was there first.
	factory.InformerFor(&corev1.Pod{}, func(client kubernetes.Interface, _ /* resync */ time.Duration) cache.SharedIndexInformer {
		return coreinformers.NewFilteredPodInformer(client, metav1.NamespaceAll, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}, own)
	})
	return factory
}

// lean drops from objects, before they are kept, what a node does not look at: who set which field, and other nodes' images.
func lean(name string) cache.TransformFunc {
	return func(object any) (any, error) {
		if o, err := meta.Accessor(object); err == nil {
			o.SetManagedFields(nil)
		}
		if n, ok := object.(*corev1.Node); ok && n.Name != name {
			n.Status.Images = nil
		}
		return object, nil
	}
}
