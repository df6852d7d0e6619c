// Package ipallocator repairs the record of which cluster IP belongs to which Service: what a crash between the
// writing of an IPAddress and of its Service leaves behind.
package ipallocator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's.
	Name = "ipallocator-repair-controller"

	managedBy = "ipallocator.k8s.io"
	workers   = 2

	// grace is how long an address may be taken for a Service that is about to be written.
	grace = 60 * time.Second
)

// A request names a Service, or with an empty namespace an IPAddress.

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	now      func() time.Time
}

// Register puts the controller on the manager. It wakes for Services and for IPAddresses that the API server manages.
// c must be allowed to create and delete IPAddresses.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder, now: time.Now}
	return loop.New(mgr, Name, workers).
		For(&corev1.Service{}).
		Watches(&networkingv1.IPAddress{}, loop.ToRequests(onAddress)).
		Complete(loop.Contained(Name, r))
}

// onAddress wakes the address and, for when that is gone or wrong, its Service.
func onAddress(_ context.Context, o client.Object) []reconcile.Request {
	ip := o.(*networkingv1.IPAddress)
	if ip.Labels[networkingv1.LabelManagedBy] != managedBy {
		return nil
	}
	requests := []reconcile.Request{loop.Request("", ip.Name)}
	if ref := ip.Spec.ParentRef; ref != nil && ref.Namespace != "" {
		requests = append(requests, loop.Request(ref.Namespace, ref.Name))
	}
	return requests
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request.Namespace == "" {
		return r.checkAddress(ctx, request.Name)
	}
	var service corev1.Service
	if err := r.client.Get(ctx, request.NamespacedName, &service); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !core.HasClusterIP(&service) || service.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	var errs []error
	for _, text := range service.Spec.ClusterIPs {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			r.warn(&service, "ClusterIPNotValid", "ClusterIPValidation", "Cluster IP %s is not a valid IP; please recreate Service", text)
			continue
		}
		errs = append(errs, r.checkService(ctx, &service, ip.Unmap()))
	}
	return reconcile.Result{}, errors.Join(errs...)
}

func (r *controller) warn(service *corev1.Service, reason, action, note string, args ...any) {
	r.recorder.Eventf(service, nil, corev1.EventTypeWarning, reason, action, note, args...)
}

// checkService sees to it that the Service's address is recorded as its own.
func (r *controller) checkService(ctx context.Context, service *corev1.Service, ip netip.Addr) error {
	var recorded networkingv1.IPAddress
	err := r.client.Get(ctx, client.ObjectKey{Name: ip.String()}, &recorded)
	if apierrors.IsNotFound(err) {
		return r.record(ctx, service, ip)
	}
	if err != nil {
		return fmt.Errorf("reading IP address %s: %w", ip, err)
	}
	if names(recorded.Spec.ParentRef, service) {
		return nil
	}
	if other, err := r.owner(ctx, &recorded); err != nil || other != nil {
		if other != nil {
			r.warn(service, "ClusterIPAlreadyAllocated", "ClusterIPAllocation",
				"Cluster IP [%v]:%s was assigned to multiple services; please recreate service", family(ip), ip)
		}
		return err
	}
	r.warn(service, "ClusterIPNotAllocated", "ClusterIPAllocation",
		"the ClusterIP [%v]: %s for Service %s/%s has a wrong reference; repairing", family(ip), ip, service.Namespace, service.Name)
	if err := r.client.Delete(ctx, &recorded, client.Preconditions{UID: &recorded.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting IP address %s: %w", ip, err)
	}
	return r.create(ctx, service, ip)
}

// record makes up for a missing record. The Service may be newer than the cache's addresses: what is there already
// is no fault. It may be older, too: an address that was just given back, after its Service was written, is no fault either.
func (r *controller) record(ctx context.Context, service *corev1.Service, ip netip.Addr) error {
	address := &unstructured.Unstructured{}
	address.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("IPAddress"))
	err := r.client.Get(ctx, client.ObjectKey{Name: ip.String()}, address)
	if !apierrors.IsNotFound(err) {
		return err
	}
	has, err := r.stillHas(ctx, service, ip)
	if err != nil || !has {
		return err
	}
	r.warn(service, "ClusterIPNotAllocated", "ClusterIPAllocation", "Cluster IP [%v]: %s is not allocated; repairing", family(ip), ip)
	return r.create(ctx, service, ip)
}

// stillHas asks the API server itself whether the Service is there and has the address.
func (r *controller) stillHas(ctx context.Context, service *corev1.Service, ip netip.Addr) (bool, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(service), live); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	var now corev1.Service
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &now); err != nil {
		return false, fmt.Errorf("reading service %s: %w", client.ObjectKeyFromObject(service), err)
	}
	return now.UID == service.UID && now.DeletionTimestamp == nil && core.HasClusterIP(&now) &&
		slices.Contains(now.Spec.ClusterIPs, ip.String()), nil
}

func (r *controller) create(ctx context.Context, service *corev1.Service, ip netip.Addr) error {
	err := r.client.Create(ctx, &networkingv1.IPAddress{
		ObjectMeta: metav1.ObjectMeta{
			Name:   ip.String(),
			Labels: map[string]string{networkingv1.LabelIPAddressFamily: string(family(ip)), networkingv1.LabelManagedBy: managedBy},
		},
		Spec: networkingv1.IPAddressSpec{
			ParentRef: &networkingv1.ParentReference{Resource: "services", Namespace: service.Namespace, Name: service.Name},
		},
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("recording IP address %s of service %s: %w", ip, client.ObjectKeyFromObject(service), err)
	}
	return nil
}

func names(ref *networkingv1.ParentReference, service *corev1.Service) bool {
	return ref != nil && ref.Group == "" && ref.Resource == "services" && ref.Namespace == service.Namespace && ref.Name == service.Name
}

func family(ip netip.Addr) corev1.IPFamily {
	if ip.Is6() {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

// owner returns the Service that an address is recorded for, if it has that address.
func (r *controller) owner(ctx context.Context, ip *networkingv1.IPAddress) (*corev1.Service, error) {
	ref := ip.Spec.ParentRef
	if ref == nil || ref.Group != "" || ref.Resource != "services" {
		return nil, nil
	}
	var service corev1.Service
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &service); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !slices.Contains(service.Spec.ClusterIPs, ip.Name) {
		return nil, nil
	}
	return &service, nil
}

// checkAddress gives an address back that no Service has, once it is old enough.
func (r *controller) checkAddress(ctx context.Context, name string) (reconcile.Result, error) {
	var ip networkingv1.IPAddress
	if err := r.client.Get(ctx, client.ObjectKey{Name: name}, &ip); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if ip.Labels[networkingv1.LabelManagedBy] != managedBy || ip.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	if owner, err := r.owner(ctx, &ip); owner != nil || err != nil {
		return reconcile.Result{}, err
	}
	if left := ip.CreationTimestamp.Add(grace).Sub(r.now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	r.recorder.Eventf(&ip, nil, corev1.EventTypeWarning, "IPAddressNotAllocated", "IPAddressAllocation",
		"IPAddress: %s for Service %s is not allocated; cleaning up", ip.Name, serviceName(&ip))
	if err := r.client.Delete(ctx, &ip, client.Preconditions{UID: &ip.UID}); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("deleting IP address %s: %w", name, err)
	}
	return reconcile.Result{}, nil
}

func serviceName(ip *networkingv1.IPAddress) string {
	if ip.Spec.ParentRef == nil {
		return ""
	}
	return ip.Spec.ParentRef.Namespace + "/" + ip.Spec.ParentRef.Name
}
