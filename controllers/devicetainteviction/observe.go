package devicetainteviction

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// poolIndex finds the ResourceSlices of a pool.
const poolIndex = "spec.pool"

// AddIndexes makes the cache find the slices of a pool.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &resourcev1.ResourceSlice{}, poolIndex, func(o client.Object) []string {
		s := o.(*resourcev1.ResourceSlice)
		return []string{poolKey(s.Spec.Driver, s.Spec.Pool.Name)}
	})
}

func poolKey(driver, pool string) string { return driver + "/" + pool }

// devices looks devices up in their pools. One that is not published any more has no taints of its own.
func (o observer) devices(ctx context.Context) (lookup func(*resourcev1.DeviceRequestAllocationResult) *resourcev1.Device, failed *error) {
	var failure error
	return func(r *resourcev1.DeviceRequestAllocationResult) *resourcev1.Device {
		var all resourcev1.ResourceSliceList
		if err := o.List(ctx, &all, client.MatchingFields{poolIndex: poolKey(r.Driver, r.Pool)}); err != nil {
			failure = fmt.Errorf("listing slices of pool %s: %w", poolKey(r.Driver, r.Pool), err)
			return nil
		}
		for _, s := range current(all.Items) {
			for i := range s.Spec.Devices {
				if s.Spec.Devices[i].Name == r.Device {
					return &s.Spec.Devices[i]
				}
			}
		}
		return nil
	}, &failure
}

// observer reads what verdicts depend on.
type observer struct{ client.Reader }

// rules are all rules.
func (o observer) rules(ctx context.Context) ([]resourcev1.DeviceTaintRule, error) {
	var all resourcev1.DeviceTaintRuleList
	if err := o.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("listing DeviceTaintRules: %w", err)
	}
	return all.Items, nil
}

// allocated are the claims that have devices.
func (o observer) allocated(ctx context.Context) (claims []*resourcev1.ResourceClaim, err error) {
	var all resourcev1.ResourceClaimList
	if err := o.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("listing ResourceClaims: %w", err)
	}
	for i := range all.Items {
		if all.Items[i].Status.Allocation != nil {
			claims = append(claims, &all.Items[i])
		}
	}
	return claims, nil
}

// verdict is what the taints of all its devices mean for a Pod that runs.
func (o observer) verdict(ctx context.Context, pod *corev1.Pod, rules []resourcev1.DeviceTaintRule) (v *verdict, err error) {
	if pod.Spec.NodeName == "" {
		return nil, nil
	}
	devices, failed := o.devices(ctx)
	for name, made := range resourceclaim.PodClaims(pod) {
		var claim resourcev1.ResourceClaim
		if err := o.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, &claim); err != nil {
			if client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("reading claim %s of pod %s: %w", name, client.ObjectKeyFromObject(pod), err)
			}
			continue
		}
		if made && resourceclaim.IsForPod(pod, &claim, false) != nil || !resourceclaim.IsReservedForPod(pod, &claim, false) {
			continue // another Pod's of the same name, perhaps
		}
		v = v.with(decide(&claim, devices, rules))
	}
	return v, *failed
}
