package server

import (
	"context"
	"fmt"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	informers "k8s.io/apiextensions-apiserver/pkg/client/informers/externalversions/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kube-aggregator/pkg/controllers/autoregister"
)

// definedGroups registers the group versions that CustomResourceDefinitions serve, while any of them does.
type definedGroups struct {
	definitions informers.CustomResourceDefinitionInformer
	services    autoregister.AutoAPIServiceRegistration

	mu sync.Mutex // the informer's events come one by one; start's come besides
}

func newDefinedGroups(definitions informers.CustomResourceDefinitionInformer, services autoregister.AutoAPIServiceRegistration) *definedGroups {
	definitions.Informer() // so that the factory starts it
	return &definedGroups{definitions: definitions, services: services}
}

// start returns when the definitions that there are have been seen; later ones are followed.
func (d *definedGroups) start(ctx context.Context) error {
	handler, err := d.definitions.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { d.sync(o) },
		UpdateFunc: func(old, now any) {
			d.sync(old)
			d.sync(now)
		},
		DeleteFunc: func(o any) {
			if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			d.sync(o)
		},
	})
	if err != nil {
		return fmt.Errorf("watching CustomResourceDefinitions: %w", err)
	}
	select {
	case <-handler.HasSyncedChecker().Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
