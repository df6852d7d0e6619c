package server

import (
	"context"
	"fmt"
	"sync"

	definitions "k8s.io/apiextensions-apiserver/pkg/client/informers/externalversions/apiextensions/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
	services "k8s.io/kube-aggregator/pkg/client/informers/externalversions/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/controllers/autoregister"
)

// registration keeps the APIServices of what is served here: of what is built in from start to start, of custom resources while
// they are defined.
type registration struct {
	services    services.APIServiceInformer
	client      apiregistrationclient.APIServicesGetter
	definitions definitions.CustomResourceDefinitionInformer
	builtIn     []*apiregistrationv1.APIService

	begun chan struct{} // closed when all that is served when the server starts is known
	begin sync.Once
}

// run runs until ctx ends. The library's controller runs once only, as its queue ends with it: each run has its own. (What an earlier
// one left at the informer of APIServices, which it does not give back, fills an ended queue: that is, nothing.)
func (r *registration) run(ctx context.Context) {
	register := autoregister.NewAutoRegisterController(r.services, r.client)
	for _, s := range r.builtIn {
		register.AddAPIServiceToSyncOnStart(s)
	}
	custom := &definedGroups{definitions: r.definitions, services: register}
	stop, err := custom.start(ctx)
	if err != nil {
		panic(fmt.Errorf("registering custom resources: %w", err)) // to be tried again
	}
	defer stop()
	r.begin.Do(func() { close(r.begun) })
	register.Run(workers, ctx.Done())
	if ctx.Err() == nil {
		panic("the library's controller has ended") // it recovers its panics itself
	}
}

// workers is how many APIServices are written at a time.
const workers = 2
