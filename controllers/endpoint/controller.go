// Package endpoint lists the Pods behind each Service with a selector in Endpoints, the older form of EndpointSlices.
package endpoint

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/endpointslice/util"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/podset"
	"github.com/coracle-k8s/coracle/controllers/selected"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "endpoint-controller"

	managedByLabel = "endpoints.kubernetes.io/managed-by"
	truncated      = "truncated"

	workers    = 5
	firstRetry = time.Second
	lastRetry  = 1000 * time.Second
)

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	triggers *util.TriggerTimeTracker
	// deleted holds the Services that were seen to be deleted.
	deleted sync.Map
}

// Register puts the controller on the manager. It wakes for Services, for Pods whose place in a Service changes, and
// for changes of Endpoints by others. c's writes must be seen (package seen).
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder, triggers: util.NewTriggerTimeTracker()}
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&corev1.Service{}).
		Watches(&corev1.Service{}, loop.ToRequests(r.onDeleted), loop.Only(loop.Deletions())).
		Watches(&corev1.Pod{}, selected.OnPod(c)).
		Watches(&corev1.Endpoints{}, loop.ToRequests(sameName)).
		Complete(loop.Contained(Name, r))
}

func (r *controller) onDeleted(_ context.Context, service client.Object) []reconcile.Request {
	r.deleted.Store(client.ObjectKeyFromObject(service), nil)
	return []reconcile.Request{loop.Request(service.GetNamespace(), service.GetName())}
}

// sameName: Endpoints have their Service's name. Those that are a lock are nobody's.
func sameName(_ context.Context, o client.Object) []reconcile.Request {
	if _, lock := o.GetAnnotations()[resourcelock.LeaderElectionRecordAnnotationKey]; lock {
		return nil
	}
	return []reconcile.Request{loop.Request(o.GetNamespace(), o.GetName())}
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var service corev1.Service
	err := r.client.Get(ctx, request.NamespacedName, &service)
	if apierrors.IsNotFound(err) {
		r.triggers.DeleteService(request.Namespace, request.Name)
		return reconcile.Result{}, r.remove(ctx, request.NamespacedName)
	}
	r.deleted.Delete(request.NamespacedName)
	if err != nil || service.Spec.Type == corev1.ServiceTypeExternalName || service.Spec.Selector == nil {
		return reconcile.Result{}, err
	}
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(service.Namespace), client.MatchingLabels(service.Spec.Selector)); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing pods of service %s: %w", request, err)
	}
	var current corev1.Endpoints
	if err := r.client.Get(ctx, request.NamespacedName, &current); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	members := podset.Pointers(pods.Items)
	trigger := r.triggers.ComputeEndpointLastChangeTriggerTime(service.Namespace, &service, members)
	wanted := decide(&service, members, &current, trigger)
	if wanted == nil {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.write(ctx, &service, wanted)
}

// remove deletes the Endpoints of a Service that is gone. Endpoints of others that never had one are left alone.
func (r *controller) remove(ctx context.Context, key client.ObjectKey) error {
	var current corev1.Endpoints
	if err := r.client.Get(ctx, key, &current); err != nil {
		r.deleted.Delete(key)
		return client.IgnoreNotFound(err)
	}
	if _, deleted := r.deleted.Load(key); !deleted && current.Labels[managedByLabel] != Name {
		return nil
	}
	if err := r.client.Delete(ctx, &current, client.Preconditions{UID: &current.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting endpoints %s: %w", key, err)
	}
	r.deleted.Delete(key)
	return nil
}

func (r *controller) write(ctx context.Context, service *corev1.Service, wanted *corev1.Endpoints) error {
	if wanted.ResourceVersion != "" {
		err := r.client.Update(ctx, wanted)
		if err != nil {
			r.recorder.Eventf(wanted, nil, corev1.EventTypeWarning, "FailedToUpdateEndpoint", "Update",
				"Failed to update endpoint %v/%v: %v", service.Namespace, service.Name, err)
		}
		return err
	}
	err := r.client.Create(ctx, wanted)
	if err == nil || loop.NamespaceGone(err) {
		return nil
	}
	r.recorder.Eventf(wanted, nil, corev1.EventTypeWarning, "FailedToCreateEndpoint", "Create",
		"Failed to create endpoint for service %v/%v: %v", service.Namespace, service.Name, err)
	return err
}

// decide returns the Endpoints to write, or nil if current, which has no resource version if there are none, is right.
func decide(service *corev1.Service, pods []*corev1.Pod, current *corev1.Endpoints, trigger time.Time) *corev1.Endpoints {
	wanted := current.DeepCopy()
	wanted.Namespace, wanted.Name = service.Namespace, service.Name
	wanted.Subsets = subsetsOf(service, pods)
	wanted.Labels = maps.Clone(service.Labels)
	if wanted.Labels == nil {
		wanted.Labels = map[string]string{}
	}
	delete(wanted.Labels, corev1.IsHeadlessService)
	if !core.HasClusterIP(service) {
		wanted.Labels[corev1.IsHeadlessService] = ""
	}
	wanted.Labels[managedByLabel] = Name
	if truncate(wanted.Subsets) {
		metav1.SetMetaDataAnnotation(&wanted.ObjectMeta, corev1.EndpointsOverCapacity, truncated)
	} else {
		delete(wanted.Annotations, corev1.EndpointsOverCapacity)
	}
	if current.ResourceVersion != "" && apiequality.Semantic.DeepEqual(wanted, current) {
		return nil
	}
	if trigger.IsZero() {
		delete(wanted.Annotations, corev1.EndpointsLastChangeTriggerTime)
	} else {
		metav1.SetMetaDataAnnotation(&wanted.ObjectMeta, corev1.EndpointsLastChangeTriggerTime, trigger.UTC().Format(time.RFC3339Nano))
	}
	return wanted
}
