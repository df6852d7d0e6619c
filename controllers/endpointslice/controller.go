// Package endpointslice lists the Pods behind each Service with a selector in EndpointSlices.
//
// What goes into which slice is upstream's own library; this is what wakes it.
package endpointslice

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	slices "k8s.io/endpointslice"
	"k8s.io/endpointslice/topologycache"
	"k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/selected"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "endpointslice-controller"

	// managedBy marks the slices that this controller writes.
	managedBy = "endpointslice-controller.k8s.io"

	workers        = 5
	firstRetry     = time.Second
	lastRetry      = 1000 * time.Second
	maxPerSlice    = 100
	foreignChanges = time.Second
)

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	// tracker knows the generations of the slices that were written, and so whether the cache is behind.
	tracker  *util.EndpointSliceTracker
	triggers *util.TriggerTimeTracker
	topology *topologycache.TopologyCache
	slices   *slices.Reconciler
	// queue is the controller's own, once a Node was seen.
	queue  queue
	queued sync.Once
}

// Register puts the controller on the manager. It reads through c, which must be the shared cache, and writes through
// clientset. It wakes for Services, for Pods whose place in a Service changes, for Nodes where topology hints depend
// on it, and for changes of its slices by others.
func Register(mgr manager.Manager, c client.Client, clientset kubernetes.Interface, events events.EventRecorder) error {
	r := &controller{
		client: c, recorder: events,
		tracker:  util.NewEndpointSliceTracker(),
		triggers: util.NewTriggerTimeTracker(),
		topology: topologycache.NewTopologyCache(),
	}
	r.slices = slices.NewReconciler(clientset, nodeLister{c}, maxPerSlice, r.tracker, r.topology, recorder{events}, managedBy,
		slices.WithPreferSameTrafficDistributionEnabled(true))
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&corev1.Service{}).
		Watches(&corev1.Pod{}, selected.OnPod(c)).
		Watches(&corev1.Node{}, r.onNode()).
		Watches(&discoveryv1.EndpointSlice{}, r.onSlice()).
		Complete(loop.Contained(Name, r))
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request == nodes {
		return reconcile.Result{}, r.refresh(ctx)
	}
	var service corev1.Service
	if err := r.client.Get(ctx, request.NamespacedName, &service); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.triggers.DeleteService(request.Namespace, request.Name)
			r.slices.DeleteService(request.Namespace, request.Name)
			r.tracker.DeleteService(request.Namespace, request.Name)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	// Slices of a Service without a selector are somebody else's to write.
	if service.Spec.Type == corev1.ServiceTypeExternalName || service.Spec.Selector == nil {
		return reconcile.Result{}, nil
	}
	err := r.reconcile(ctx, &service)
	if err != nil && !errors.Is(err, errBehind) {
		r.recorder.Eventf(&service, nil, corev1.EventTypeWarning, "FailedToUpdateEndpointSlices", "Reconcile",
			"Error updating Endpoint Slices for Service %s/%s: %v", service.Namespace, service.Name, err)
	}
	return reconcile.Result{}, err
}

func (r *controller) reconcile(ctx context.Context, service *corev1.Service) error {
	key := client.ObjectKeyFromObject(service)
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(service.Namespace), client.MatchingLabels(service.Spec.Selector)); err != nil {
		return fmt.Errorf("listing pods of service %s: %w", key, err)
	}
	existing, err := r.existing(ctx, service)
	if err != nil {
		return err
	}
	if r.tracker.StaleSlices(service, existing) {
		return fmt.Errorf("reading endpoint slices of service %s: %w", key, errBehind)
	}
	members := pointers(pods.Items)
	trigger := r.triggers.ComputeEndpointLastChangeTriggerTime(service.Namespace, service, members)
	return r.slices.Reconcile(klog.FromContext(ctx), service, members, existing, trigger)
}

// errBehind passes by itself: it is tried again, and is no news to users.
var errBehind = errors.New("the cache is behind what was written")

// existing returns the controller's slices of the service but for those that are being deleted.
func (r *controller) existing(ctx context.Context, service *corev1.Service) ([]*discoveryv1.EndpointSlice, error) {
	var list discoveryv1.EndpointSliceList
	mine := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name, discoveryv1.LabelManagedBy: managedBy})
	err := r.client.List(ctx, &list, client.InNamespace(service.Namespace), client.MatchingLabelsSelector{Selector: mine})
	if err != nil {
		return nil, fmt.Errorf("listing endpoint slices of service %s: %w", client.ObjectKeyFromObject(service), err)
	}
	var kept []*discoveryv1.EndpointSlice
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			kept = append(kept, &list.Items[i])
		}
	}
	return kept, nil
}

// serviceOf names the Service of a slice; ok is false for a slice of none.
func serviceOf(slice *discoveryv1.EndpointSlice) (request reconcile.Request, ok bool) {
	key, err := slices.ServiceControllerKey(slice)
	if err != nil {
		return request, false
	}
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	return loop.Request(namespace, name), err == nil
}
