package devicetainteviction

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// statusPeriod is how often a rule's status may change while its spec does not.
const statusPeriod = 10 * time.Second

// status keeps the condition of rules.
type status struct {
	observer
	client client.Client
	now    func() time.Time
	memory *memory
}

func registerStatus(mgr manager.Manager, s *status) error {
	const name = Name + "-status"
	return loop.New(mgr, name, 1).
		For(&resourcev1.DeviceTaintRule{}, loop.Only(loop.Changed(specChanged))).
		Watches(&resourcev1.DeviceTaintRule{}, loop.ToRequests(s.forget), loop.Only(loop.Deletions())).
		Watches(&resourcev1.ResourceClaim{}, loop.ToRequests(s.evicting)).
		Complete(loop.Contained(name, reconcile.AsReconciler[*resourcev1.DeviceTaintRule](s.client, s)))
}

func (s *status) forget(_ context.Context, rule client.Object) []reconcile.Request {
	s.memory.forget(rule.GetUID())
	return nil
}

// evicting are the rules by which Pods with the claim have to go.
func (s *status) evicting(ctx context.Context, o client.Object) (requests []reconcile.Request) {
	claim := o.(*resourcev1.ResourceClaim)
	if claim.Status.Allocation == nil || len(claim.Status.ReservedFor) == 0 {
		return nil
	}
	rules, err := s.rules(ctx)
	if err != nil {
		return nil // the cache has ended
	}
	for i := range rules {
		if rules[i].Spec.Taint.Effect == resourcev1.DeviceTaintEffectNoExecute && len(selected(&rules[i], claim)) > 0 {
			requests = append(requests, loop.Request("", rules[i].Name))
		}
	}
	return requests
}

// selected are the claim's devices that the rule is about.
func selected(rule *resourcev1.DeviceTaintRule, claim *resourcev1.ResourceClaim) []resourcev1.DeviceRequestAllocationResult {
	return slices.DeleteFunc(slices.Clone(claim.Status.Allocation.Devices.Results), func(d resourcev1.DeviceRequestAllocationResult) bool {
		return !selects(rule, d.Driver, d.Pool, d.Device)
	})
}

// Reconcile implements reconcile.ObjectReconciler.
func (s *status) Reconcile(ctx context.Context, rule *resourcev1.DeviceTaintRule) (reconcile.Result, error) {
	if rule.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	var before metav1.Condition
	if i := slices.IndexFunc(rule.Status.Conditions, func(c metav1.Condition) bool { return c.Type == resourcev1.DeviceTaintConditionEvictionInProgress }); i >= 0 {
		before = rule.Status.Conditions[i]
		if wait := before.LastTransitionTime.Add(statusPeriod).Sub(s.now()); before.ObservedGeneration == rule.Generation && wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
		if before.ObservedGeneration == rule.Generation && rule.Spec.Taint.Effect != resourcev1.DeviceTaintEffectNoExecute {
			return reconcile.Result{}, nil // it was said once
		}
	}
	n, err := s.count(ctx, rule)
	if err != nil {
		return reconcile.Result{}, err
	}
	after := condition(rule, n)
	if after.LastTransitionTime = before.LastTransitionTime; after != before {
		after.LastTransitionTime = metav1.NewTime(s.now())
		if err := s.write(ctx, rule, after); err != nil {
			return reconcile.Result{}, err
		}
	}
	if n.pending > 0 {
		return reconcile.Result{RequeueAfter: statusPeriod}, nil
	}
	return reconcile.Result{}, nil
}

// count says what the rule does; what it would do if its effect is None.
func (s *status) count(ctx context.Context, rule *resourcev1.DeviceTaintRule) (n counts, err error) {
	n.evicted = s.memory.evictedBy(rule.UID)
	tried := *rule
	switch rule.Spec.Taint.Effect {
	case resourcev1.DeviceTaintEffectNone:
		tried.Spec.Taint.Effect = resourcev1.DeviceTaintEffectNoExecute
		if n.published, err = s.published(ctx, rule); err != nil {
			return n, err
		}
	case resourcev1.DeviceTaintEffectNoExecute:
	default:
		return n, nil
	}
	claims, err := s.allocated(ctx)
	if err != nil {
		return n, err
	}
	pods := map[types.UID]string{}
	for _, claim := range claims {
		if devices := len(selected(rule, claim)); devices > 0 {
			n.allocated += devices
			if err := s.going(ctx, claim, &tried, pods); err != nil {
				return n, err
			}
		}
	}
	namespaces := map[string]bool{}
	for _, namespace := range pods {
		namespaces[namespace] = true
	}
	n.pending, n.namespaces = len(pods), len(namespaces)
	return n, nil
}

// going adds the claim's Pods that have to go by the rule, and their namespaces.
func (s *status) going(ctx context.Context, claim *resourcev1.ResourceClaim, rule *resourcev1.DeviceTaintRule, pods map[types.UID]string) error {
	for _, request := range consumers(ctx, claim) {
		var pod corev1.Pod
		if err := s.Get(ctx, request.NamespacedName, &pod); err != nil {
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("reading pod %s: %w", request, err)
			}
			continue
		}
		if pod.DeletionTimestamp != nil {
			continue
		}
		v, err := s.verdict(ctx, &pod, []resourcev1.DeviceTaintRule{*rule})
		if err != nil {
			return err
		}
		if v != nil && slices.Contains(v.rules, rule.UID) {
			pods[pod.UID] = pod.Namespace
		}
	}
	return nil
}

// published is how many devices of all pools the rule is about.
func (s *status) published(ctx context.Context, rule *resourcev1.DeviceTaintRule) (n int, err error) {
	var all resourcev1.ResourceSliceList
	if err := s.List(ctx, &all); err != nil {
		return 0, fmt.Errorf("listing ResourceSlices: %w", err)
	}
	pools := map[string][]resourcev1.ResourceSlice{}
	for _, slice := range all.Items {
		key := poolKey(slice.Spec.Driver, slice.Spec.Pool.Name)
		pools[key] = append(pools[key], slice)
	}
	for _, pool := range pools {
		for _, slice := range current(pool) {
			for i := range slice.Spec.Devices {
				if selects(rule, slice.Spec.Driver, slice.Spec.Pool.Name, slice.Spec.Devices[i].Name) {
					n++
				}
			}
		}
	}
	return n, nil
}

// write applies the condition, if the rule is still this one. Others may have conditions of their own there.
func (s *status) write(ctx context.Context, rule *resourcev1.DeviceTaintRule, c metav1.Condition) error {
	to := &resourcev1.DeviceTaintRule{
		TypeMeta:   metav1.TypeMeta{APIVersion: resourcev1.SchemeGroupVersion.String(), Kind: "DeviceTaintRule"},
		ObjectMeta: metav1.ObjectMeta{Name: rule.Name},
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": to.APIVersion, "kind": to.Kind, "metadata": map[string]any{"name": rule.Name, "uid": rule.UID},
		"status": map[string]any{"conditions": []metav1.Condition{c}},
	})
	if err != nil {
		return err
	}
	err = s.client.Status().Patch(ctx, to, client.RawPatch(types.ApplyPatchType, data), client.ForceOwnership, client.FieldOwner(Name))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of DeviceTaintRule %s: %w", rule.Name, err)
	}
	return nil
}
