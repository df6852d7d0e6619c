// Package endpointslicemirroring mirrors Endpoints that users write, for Services without a selector, to EndpointSlices.
package endpointslicemirroring

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "endpointslicemirroring-controller"

	managedBy = "endpointslicemirroring-controller.k8s.io"

	workers    = 5
	firstRetry = time.Second
	lastRetry  = 100 * time.Second
)

type controller struct {
	client   client.Client
	recorder events.EventRecorder
}

// Register puts the controller on the manager. It wakes for Endpoints, for Services, and for its slices. c's writes
// must be seen (package seen).
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder}
	selectorChanged := func(old, now *corev1.Service) bool { return (old.Spec.Selector == nil) != (now.Spec.Selector == nil) }
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&corev1.Endpoints{}).
		Watches(&corev1.Service{}, loop.ToRequests(sameName), loop.Only(loop.Changed(selectorChanged))).
		Watches(&discoveryv1.EndpointSlice{}, loop.ToRequests(serviceOf)).
		Complete(loop.Contained(Name, r))
}

func sameName(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{loop.Request(o.GetNamespace(), o.GetName())}
}

func serviceOf(_ context.Context, o client.Object) []reconcile.Request {
	service := o.GetLabels()[discoveryv1.LabelServiceName]
	if o.GetLabels()[discoveryv1.LabelManagedBy] != managedBy || service == "" {
		return nil
	}
	return []reconcile.Request{loop.Request(o.GetNamespace(), service)}
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	existing, err := r.existing(ctx, request)
	if err != nil {
		return reconcile.Result{}, err
	}
	source, err := r.source(ctx, request)
	if err != nil {
		return reconcile.Result{}, err
	}
	if source == nil {
		return reconcile.Result{}, r.carryOut(ctx, plan{remove: existing})
	}
	p := decide(source, existing)
	if p.invalid > 0 {
		r.warn(source, "InvalidIPAddress", "Skipped %d invalid IP addresses when mirroring to EndpointSlices", p.invalid)
	}
	if p.tooMany > 0 {
		r.warn(source, "TooManyAddressesToMirror",
			"A max of %d addresses can be mirrored to EndpointSlices per Endpoints subset. %d addresses were skipped", maxPerSubset, p.tooMany)
	}
	return reconcile.Result{}, r.carryOut(ctx, p)
}

func (r *controller) warn(source *corev1.Endpoints, reason, note string, args ...any) {
	r.recorder.Eventf(source, nil, corev1.EventTypeWarning, reason, "Mirror", note, args...)
}

// source returns the Endpoints to mirror, or nil if there is nothing to.
func (r *controller) source(ctx context.Context, request reconcile.Request) (*corev1.Endpoints, error) {
	var endpoints corev1.Endpoints
	if err := r.client.Get(ctx, request.NamespacedName, &endpoints); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if _, lock := endpoints.Annotations[resourcelock.LeaderElectionRecordAnnotationKey]; lock {
		return nil, nil
	}
	if endpoints.Labels[discoveryv1.LabelSkipMirror] == "true" || endpoints.DeletionTimestamp != nil {
		return nil, nil
	}
	var service corev1.Service
	if err := r.client.Get(ctx, request.NamespacedName, &service); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if service.Spec.Selector != nil {
		return nil, nil
	}
	return &endpoints, nil
}

func (r *controller) existing(ctx context.Context, request reconcile.Request) ([]*discoveryv1.EndpointSlice, error) {
	var list discoveryv1.EndpointSliceList
	mine := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: request.Name, discoveryv1.LabelManagedBy: managedBy})
	err := r.client.List(ctx, &list, client.InNamespace(request.Namespace), client.MatchingLabelsSelector{Selector: mine})
	if err != nil {
		return nil, fmt.Errorf("listing endpoint slices of %s: %w", request, err)
	}
	var existing []*discoveryv1.EndpointSlice
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			existing = append(existing, &list.Items[i])
		}
	}
	return existing, nil
}

// carryOut creates first and deletes last, so that there is no time without endpoints.
func (r *controller) carryOut(ctx context.Context, p plan) error {
	var errs []error
	for _, slice := range p.create {
		if err := r.client.Create(ctx, slice); err != nil && !loop.NamespaceGone(err) {
			errs = append(errs, fmt.Errorf("creating an endpoint slice of %s/%s: %w", slice.Namespace, slice.Labels[discoveryv1.LabelServiceName], err))
		}
	}
	for _, slice := range p.update {
		if err := r.client.Update(ctx, slice); err != nil {
			errs = append(errs, fmt.Errorf("updating endpoint slice %s: %w", client.ObjectKeyFromObject(slice), err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, slice := range p.remove {
		if err := r.client.Delete(ctx, slice); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("deleting endpoint slice %s: %w", client.ObjectKeyFromObject(slice), err))
		}
	}
	return errors.Join(errs...)
}
