// Package devicetainteviction deletes Pods that use tainted devices, and tells on DeviceTaintRules how far that is.
package devicetainteviction

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

// Name is the controller's, and that of its service account in kube-system.
const Name = "device-taint-eviction-controller"

const workers = 8

type controller struct {
	observer
	client   client.Client
	pods     podset.Control
	recorder events.EventRecorder
	now      func() time.Time
	memory   *memory
}

// memory is what is known of evictions since the controller started.
type memory struct {
	lock    sync.Mutex
	pending map[types.NamespacedName]bool // Pods that are to be evicted later
	evicted map[types.UID]int             // Pods, by rule
}

// Register puts the controller on the manager: one part evicts Pods, the other keeps the status of rules. AddIndexes must
// have been called.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	m := &memory{pending: map[types.NamespacedName]bool{}, evicted: map[types.UID]int{}}
	r := &controller{
		observer: observer{c}, client: c, pods: podset.Control{Client: c, Recorder: recorder}, recorder: recorder, now: time.Now, memory: m,
	}
	err := loop.New(mgr, Name, workers).
		For(&corev1.Pod{}, loop.Only(loop.Where(usesClaims), loop.Changed(concerns))).
		Watches(&resourcev1.ResourceClaim{}, loop.ToRequests(consumers)).
		Watches(&resourcev1.DeviceTaintRule{}, loop.ToRequests(r.ofRule), loop.Only(loop.Changed(specChanged))).
		Watches(&resourcev1.ResourceSlice{}, loop.ToRequests(r.ofSlice)).
		Complete(loop.Contained(Name, r))
	if err != nil {
		return err
	}
	return registerStatus(mgr, &status{observer{c}, c, time.Now, m})
}

func usesClaims(p *corev1.Pod) bool {
	return len(p.Spec.ResourceClaims) > 0 || p.Status.ExtendedResourceClaimStatus != nil
}

func concerns(old, now *corev1.Pod) bool {
	return old.Spec.NodeName != now.Spec.NodeName ||
		!resourceclaim.PodStatusEqual(old.Status.ResourceClaimStatuses, now.Status.ResourceClaimStatuses) ||
		!resourceclaim.PodExtendedStatusEqual(old.Status.ExtendedResourceClaimStatus, now.Status.ExtendedResourceClaimStatus)
}

func specChanged(old, now *resourcev1.DeviceTaintRule) bool {
	return !apiequality.Semantic.DeepEqual(old.Spec, now.Spec)
}

// consumers are the Pods that may use a claim.
func consumers(_ context.Context, o client.Object) (requests []reconcile.Request) {
	for _, c := range o.(*resourcev1.ResourceClaim).Status.ReservedFor {
		if c.APIGroup == "" && c.Resource == "pods" {
			requests = append(requests, loop.Request(o.GetNamespace(), c.Name))
		}
	}
	return requests
}

func (r *controller) ofRule(ctx context.Context, o client.Object) []reconcile.Request {
	rule := o.(*resourcev1.DeviceTaintRule)
	return r.using(ctx, func(d *resourcev1.DeviceRequestAllocationResult) bool {
		return selects(rule, d.Driver, d.Pool, d.Device)
	})
}

func (r *controller) ofSlice(ctx context.Context, o client.Object) []reconcile.Request {
	s := &o.(*resourcev1.ResourceSlice).Spec
	return r.using(ctx, func(d *resourcev1.DeviceRequestAllocationResult) bool {
		return d.Driver == s.Driver && d.Pool == s.Pool.Name
	})
}

// using are the Pods with a device that is meant.
func (r *controller) using(ctx context.Context, meant func(*resourcev1.DeviceRequestAllocationResult) bool) (requests []reconcile.Request) {
	claims, err := r.allocated(ctx)
	if err != nil {
		return nil // the cache has ended
	}
	for _, c := range claims {
		if slices.ContainsFunc(c.Status.Allocation.Devices.Results, func(d resourcev1.DeviceRequestAllocationResult) bool { return meant(&d) }) {
			requests = append(requests, consumers(ctx, c)...)
		}
	}
	return requests
}

// Reconcile implements reconcile.Reconciler for Pods.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := r.client.Get(ctx, request.NamespacedName, &pod); err != nil {
		r.memory.lift(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if pod.DeletionTimestamp != nil {
		r.memory.lift(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	rules, err := r.rules(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	v, err := r.verdict(ctx, &pod, rules)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case v == nil:
		if r.memory.lift(request.NamespacedName) {
			r.tell(&pod, "Cancelling deletion")
		}
		return reconcile.Result{}, nil
	}
	if left := v.due.Sub(r.now()); left > 0 {
		r.memory.await(request.NamespacedName)
		return reconcile.Result{RequeueAfter: left}, nil
	}
	return reconcile.Result{}, r.evict(ctx, &pod, v)
}

func (r *controller) tell(pod *corev1.Pod, note string) {
	r.recorder.Eventf(pod, nil, corev1.EventTypeNormal, "DeviceTaintManagerEviction", "Evict", "%s", note)
}

func (r *controller) evict(ctx context.Context, pod *corev1.Pod, v *verdict) error {
	r.tell(pod, "Marking for deletion")
	marked, err := r.pods.MarkDisrupted(ctx, pod, "DeletionByDeviceTaintManager", "Device Taint manager: deleting due to NoExecute taint", r.now())
	if err == nil {
		err = r.client.Delete(ctx, marked, client.Preconditions{UID: &pod.UID})
	}
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // gone already, or another Pod has the name
		r.memory.lift(client.ObjectKeyFromObject(pod))
		return nil
	case err != nil:
		return fmt.Errorf("evicting pod %s: %w", client.ObjectKeyFromObject(pod), err)
	}
	r.memory.done(client.ObjectKeyFromObject(pod), v.rules)
	return nil
}

func (m *memory) await(pod types.NamespacedName) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.pending[pod] = true
}

// lift reports whether the Pod was to be evicted later.
func (m *memory) lift(pod types.NamespacedName) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	was := m.pending[pod]
	delete(m.pending, pod)
	return was
}

func (m *memory) done(pod types.NamespacedName, rules []types.UID) {
	m.lock.Lock()
	defer m.lock.Unlock()
	delete(m.pending, pod)
	for _, uid := range rules {
		m.evicted[uid]++
	}
}

func (m *memory) evictedBy(rule types.UID) int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.evicted[rule]
}

func (m *memory) forget(rule types.UID) {
	m.lock.Lock()
	defer m.lock.Unlock()
	delete(m.evicted, rule)
}
