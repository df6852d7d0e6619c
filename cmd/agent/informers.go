package agent

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	discoveryinformers "k8s.io/client-go/informers/discovery/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	ours "github.com/coracle-k8s/coracle/informers"
)

// newInformers see what a node may and needs to: of Pods only its own. proxy is for what only its Service proxy may see: other Nodes,
// and EndpointSlices.
func newInformers(client, proxy kubernetes.Interface, name string) informers.SharedInformerFactory {
	factory := ours.New(client, lean(name))
	own := func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", name).String()
	}
	byNamespace := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	// Whoever asks the factory for one of these gets the informer that was there first.
	factory.InformerFor(&corev1.Pod{}, func(client kubernetes.Interface, _ /* resync */ time.Duration) cache.SharedIndexInformer {
		return coreinformers.NewFilteredPodInformer(client, metav1.NamespaceAll, 0, byNamespace, own)
	})
	factory.InformerFor(&corev1.Node{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return coreinformers.NewNodeInformer(proxy, 0, byNamespace)
	})
	factory.InformerFor(&discoveryv1.EndpointSlice{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return discoveryinformers.NewEndpointSliceInformer(proxy, metav1.NamespaceAll, 0, byNamespace)
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
