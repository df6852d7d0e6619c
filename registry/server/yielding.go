package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	helper "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
	services "k8s.io/kube-aggregator/pkg/client/informers/externalversions/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/controllers/autoregister"

	"github.com/coracle-k8s/coracle/guard"
)

// yielding keeps the APIServices of a group whose place a user's own server may take, as metrics-server does: while one of the group's
// APIServices leads to a Service, none of its versions is served here, as two servers would contradict one another.
//
// The library's registration on start is no use for them. It would take the place back at the next start: what is applied over
// an object keeps the label by which that one is known.
type yielding struct {
	group string
	// wanted are ours, by what is served; none if the group is not served here.
	wanted []*apiregistrationv1.APIService
	// offers is what discovery tells of each version.
	offers    map[schema.GroupVersion]apidiscoveryv2.APIVersionDiscovery
	discovery aggregated.ResourceManager
	told      atomic.Bool // discovery tells of all that is wanted, or has done so

	// These come later than the handler.
	services services.APIServiceInformer
	client   apiregistrationclient.APIServicesGetter
}

// target is main without those of the group's versions that are not offered.
func (y *yielding) target(main genericapiserver.DelegationTarget) genericapiserver.DelegationTarget {
	return yieldingTarget{main, y}
}

type yieldingTarget struct {
	genericapiserver.DelegationTarget
	y *yielding
}

func (t yieldingTarget) UnprotectedHandler() http.Handler {
	next := t.DelegationTarget.UnprotectedHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.y.serves(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serves reports whether the path is not one of a version that is not offered.
func (y *yielding) serves(path string) bool {
	path, ours := strings.CutPrefix(path, "/apis/"+y.group)
	if !ours || path != "" && path[0] != '/' {
		return true
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if version == "" { // of the group
		return len(y.wanted) > 0
	}
	return y.offered(schema.GroupVersion{Group: y.group, Version: version})
}

// offered reports whether the version is served here, rather than by somebody else or by nobody.
func (y *yielding) offered(gv schema.GroupVersion) bool {
	s, err := y.services.Lister().Get(gv.Version + "." + gv.Group)
	return err == nil && s.Spec.Service == nil
}

// pending says what is missing until the group can be discovered; nothing if it is another's.
func (y *yielding) pending() (missing []string) {
	stored := y.stored()
	if yields(stored) {
		return nil
	}
	if len(y.wanted) > 0 && !y.told.Load() {
		missing = append(missing, y.group)
	}
	for _, s := range y.wanted {
		if now := stored[s.Name]; now == nil || !helper.IsAPIServiceConditionTrue(now, apiregistrationv1.Available) {
			missing = append(missing, s.Name)
		}
	}
	return missing
}

// stored are the group's APIServices by name.
func (y *yielding) stored() map[string]*apiregistrationv1.APIService {
	all, _ := y.services.Lister().List(labels.Everything()) // from memory
	stored := map[string]*apiregistrationv1.APIService{}
	for _, s := range all {
		if s.Spec.Group == y.group {
			stored[s.Name] = s
		}
	}
	return stored
}

// yields reports whether one of the APIServices is somebody else's.
func yields(stored map[string]*apiregistrationv1.APIService) bool {
	for _, s := range stored {
		if s.Spec.Service != nil {
			return true
		}
	}
	return false
}

// change is what has to be written: ours that are missing, and ours that must not be there.
func (y *yielding) change(stored map[string]*apiregistrationv1.APIService) (create, remove []*apiregistrationv1.APIService) {
	taken := yields(stored)
	for _, s := range y.wanted {
		if !taken && stored[s.Name] == nil {
			create = append(create, s)
		}
	}
	for _, s := range stored {
		ours := slices.ContainsFunc(y.wanted, func(w *apiregistrationv1.APIService) bool { return w.Name == s.Name })
		custom := s.Labels[autoregister.AutoRegisterManagedLabel] != "" // a CustomResourceDefinition's
		if s.Spec.Service == nil && !custom && (taken || !ours) {
			remove = append(remove, s)
		}
	}
	return create, remove
}

// run keeps the APIServices, and what discovery tells, in agreement with one another until ctx ends.
func (y *yielding) run(ctx context.Context) {
	changed := make(chan struct{}, 1)
	wake := func(o any) {
		if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = last.Obj
		}
		if s, ok := o.(*apiregistrationv1.APIService); ok && s.Spec.Group == y.group {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
	hear := func(o any) { guard.Insist("hearing of API services", func() { wake(o) }) }
	handler, err := y.services.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: hear, UpdateFunc: func(_, now any) { hear(now) }, DeleteFunc: hear,
	})
	if err != nil {
		panic(fmt.Errorf("watching API services: %w", err)) // to be tried again
	}
	defer func() { _ = y.services.Informer().RemoveEventHandler(handler) }()
	if !cache.WaitForCacheSync(ctx.Done(), handler.HasSynced) {
		return
	}
	for pause := firstPause; ; {
		if err := y.sync(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "Registering a group that others may serve", "group", y.group)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Pauses before something is tried again.
const firstPause, lastPause = 100 * time.Millisecond, 10 * time.Second

// sync writes what is missing or too much. A version is told of as long as it is offered.
func (y *yielding) sync(ctx context.Context) error {
	told := 0
	for gv, offer := range y.offers {
		if y.offered(gv) {
			told++
			y.discovery.AddGroupVersion(gv.Group, offer)
			y.discovery.SetGroupVersionPriority(metav1.GroupVersion(gv), metricsPriority, metricsPriority)
		} else {
			y.discovery.RemoveGroupVersion(metav1.GroupVersion(gv))
		}
	}
	if told == len(y.offers) {
		y.told.Store(true)
	}
	create, remove := y.change(y.stored())
	for _, s := range create {
		if _, err := y.client.APIServices().Create(ctx, s, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	for _, s := range remove {
		// Not if it has become another's meanwhile.
		same := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &s.UID, ResourceVersion: &s.ResourceVersion}}
		err := y.client.APIServices().Delete(ctx, s.Name, same)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}
