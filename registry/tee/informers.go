package tee

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"

	ours "github.com/coracle-k8s/coracle/informers"
)

// Informers is a client-go factory whose informers of the given kinds share the hub's objects; those of other kinds read
// through client. Informers that nobody has asked anything do not run. The objects are read only. Reading them is not authorized: only the server's own parts may have it.
func (h *Hub) Informers(client kubernetes.Interface, kinds []schema.GroupVersionKind) informers.SharedInformerFactory {
	factory := ours.New(client, nil)
	for _, gvk := range kinds {
		example, err := clientscheme.Scheme.New(gvk)
		if err != nil {
			continue // not a kind that the factory can be asked for
		}
		// The factory keeps the first informer of each Go type, and gives it to all who ask later.
		factory.InformerFor(example, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
			lw := &listWatch{kind: h.kind(gvk), scope: everything}
			indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
			return newOnDemand(&informer{cache.NewSharedIndexInformer(lw, example, 0, indexers)})
		})
	}
	return factory
}

func everything() (*scope, error) { return &scope{all: true}, nil }
