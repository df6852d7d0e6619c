// Package servicecidrs tells when ServiceCIDRs are ready, and keeps those that Services have addresses of.
package servicecidrs

import (
	"context"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	apply "k8s.io/client-go/applyconfigurations/networking/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "service-cidrs-controller"

	finalizer = "networking.k8s.io/service-cidr-finalizer"
	// fieldManager is who the fields of the status belong to.
	fieldManager = "service-cidr-controller"
	// grace is how long servers may take to learn that nothing is handed out of a range any more.
	grace   = 10 * time.Second
	workers = 1
)

type controller struct {
	client client.Client
	writer kubernetes.Interface
	now    func() time.Time
}

// Register puts the controller on the manager. It wakes for ServiceCIDRs; those that are being deleted wake with all others, and
// with the addresses of Services. writer writes the status.
//
// https://kubernetes.io/docs/reference/networking/virtual-ips/#ip-address-objects
func Register(mgr manager.Manager, c client.Client, writer kubernetes.Interface) error {
	r := &controller{client: c, writer: writer, now: time.Now}
	comesOrGoes := func(_, _ *networkingv1.IPAddress) bool { return false }
	return loop.New(mgr, Name, workers).
		For(&networkingv1.ServiceCIDR{}).
		Watches(&networkingv1.ServiceCIDR{}, loop.ToRequests(r.ending)).
		Watches(&networkingv1.IPAddress{}, loop.ToRequests(r.ending), loop.Only(loop.Changed(comesOrGoes))).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*networkingv1.ServiceCIDR](c, r)))
}

// ending are the ServiceCIDRs that are being deleted.
func (r *controller) ending(ctx context.Context, _ client.Object) []reconcile.Request {
	var all networkingv1.ServiceCIDRList
	if err := r.client.List(ctx, &all); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range all.Items {
		if all.Items[i].DeletionTimestamp != nil {
			requests = append(requests, loop.Request("", all.Items[i].Name))
		}
	}
	return requests
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, cidr *networkingv1.ServiceCIDR) (reconcile.Result, error) {
	if cidr.DeletionTimestamp == nil {
		if err := r.protect(ctx, cidr, true); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, r.tell(ctx, cidr, ready())
	}
	var all networkingv1.ServiceCIDRList
	var ips networkingv1.IPAddressList
	if err := r.client.List(ctx, &all); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing ServiceCIDRs: %w", err)
	}
	if err := r.client.List(ctx, &ips); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing IPAddresses: %w", err)
	}
	if needed(cidr, all.Items, ips.Items) {
		return reconcile.Result{}, r.tell(ctx, cidr, terminating())
	}
	if left := cidr.DeletionTimestamp.Add(grace).Sub(r.now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	return reconcile.Result{}, r.protect(ctx, cidr, false)
}

// protect sets or removes the finalizer.
func (r *controller) protect(ctx context.Context, cidr *networkingv1.ServiceCIDR, want bool) error {
	if slices.Contains(cidr.Finalizers, finalizer) == want {
		return nil
	}
	changed := cidr.DeepCopy()
	changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == finalizer })
	if want {
		changed.Finalizers = append(changed.Finalizers, finalizer)
	}
	if err := r.client.Patch(ctx, changed, client.StrategicMergeFrom(cidr)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("protecting ServiceCIDR %s: %w", cidr.Name, err)
	}
	return nil
}

func (r *controller) tell(ctx context.Context, cidr *networkingv1.ServiceCIDR, c metav1.Condition) error {
	told := meta.FindStatusCondition(cidr.Status.Conditions, c.Type)
	if told != nil && told.Status == c.Status && told.Reason == c.Reason && told.Message == c.Message {
		return nil
	}
	condition := applymeta.Condition().WithType(c.Type).WithStatus(c.Status).WithReason(c.Reason).WithMessage(c.Message).
		WithLastTransitionTime(metav1.NewTime(r.now()))
	_, err := r.writer.NetworkingV1().ServiceCIDRs().ApplyStatus(ctx,
		apply.ServiceCIDR(cidr.Name).WithStatus(apply.ServiceCIDRStatus().WithConditions(condition)),
		metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of ServiceCIDR %s: %w", cidr.Name, err)
	}
	return nil
}
