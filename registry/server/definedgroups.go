package server

import (
	"context"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	informers "k8s.io/apiextensions-apiserver/pkg/client/informers/externalversions/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kube-aggregator/pkg/controllers/autoregister"

	"github.com/coracle-k8s/coracle/guard"
)

// definedGroups registers the group versions that CustomResourceDefinitions serve, while any of them does.
type definedGroups struct {
	definitions informers.CustomResourceDefinitionInformer
	services    autoregister.AutoAPIServiceRegistration

	mu sync.Mutex // the informer's events come one by one; start's come besides
}

// start returns when the definitions that there are have been seen, or ctx has ended; later ones are followed until stop is called.
func (d *definedGroups) start(ctx context.Context) (stop func(), err error) {
	sync := func(o any) { guard.Insist("hearing of CustomResourceDefinitions", func() { d.sync(o) }) }
	handler, err := d.definitions.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: sync,
		UpdateFunc: func(old, now any) {
			sync(old)
			sync(now)
		},
		DeleteFunc: func(o any) {
			if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			sync(o)
		},
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-handler.HasSyncedChecker().Done():
	case <-ctx.Done():
	}
	return func() { _ = d.definitions.Informer().RemoveEventHandler(handler) }, nil
}

// sync registers or forgets the group versions of one definition.
func (d *definedGroups) sync(o any) {
	definition, ok := o.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range definition.Spec.Versions {
		gv := schema.GroupVersion{Group: definition.Spec.Group, Version: v.Name}
		if !d.serves(gv) {
			d.services.RemoveAPIServiceToSync(gv.Version + "." + gv.Group)
			continue
		}
		d.services.AddAPIServiceToSync(apiService(gv, priority{group: 1000, version: 100}))
	}
}

// serves reports whether any definition serves the group version.
func (d *definedGroups) serves(gv schema.GroupVersion) bool {
	for _, o := range d.definitions.Informer().GetStore().List() {
		definition := o.(*apiextensionsv1.CustomResourceDefinition)
		if definition.Spec.Group != gv.Group {
			continue
		}
		for _, v := range definition.Spec.Versions {
			if v.Name == gv.Version && v.Served {
				return true
			}
		}
	}
	return false
}
