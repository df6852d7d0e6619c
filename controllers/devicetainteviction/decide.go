package devicetainteviction

import (
	"cmp"
	"slices"
	"time"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
)

// verdict is when a Pod has to go, and by which DeviceTaintRules. Taints that come with devices are nobody's rules.
type verdict struct {
	due   time.Time
	rules []types.UID
}

// with is the verdict for a Pod with both claims: the earlier time, and the rules of both. Nil is none.
func (v *verdict) with(o *verdict) *verdict {
	if v == nil || o == nil {
		if v == nil {
			return o
		}
		return v
	}
	both := &verdict{due: v.due, rules: slices.Clone(v.rules)}
	if o.due.Before(both.due) {
		both.due = o.due
	}
	for _, uid := range o.rules {
		if !slices.Contains(both.rules, uid) {
			both.rules = append(both.rules, uid)
		}
	}
	return both
}

// decide says when Pods have to go that use the claim's devices, nil if they may stay. devices knows the taints that come with a
// device; rules are all that there are.
func decide(claim *resourcev1.ResourceClaim, devices func(*resourcev1.DeviceRequestAllocationResult) *resourcev1.Device, rules []resourcev1.DeviceTaintRule) (v *verdict) {
	if claim.Status.Allocation == nil {
		return nil
	}
	for i := range claim.Status.Allocation.Devices.Results {
		result := &claim.Status.Allocation.Devices.Results[i]
		if device := devices(result); device != nil {
			for j := range device.Taints {
				v = v.with(sentence(result, &device.Taints[j]))
			}
		}
		for j := range rules {
			rule := &rules[j]
			if !selects(rule, result.Driver, result.Pool, result.Device) {
				continue
			}
			if s := sentence(result, taintOf(rule)); s != nil {
				s.rules = []types.UID{rule.UID}
				v = v.with(s)
			}
		}
	}
	return v
}

// sentence is what one taint of an allocated device means, nil if it is tolerated or evicts nobody.
func sentence(result *resourcev1.DeviceRequestAllocationResult, taint *resourcev1.DeviceTaint) *verdict {
	if taint.Effect != resourcev1.DeviceTaintEffectNoExecute || taint.TimeAdded == nil {
		return nil
	}
	patience, limited := time.Duration(0), false
	for i := range result.Tolerations {
		t := &result.Tolerations[i]
		if t.Effect != resourcev1.DeviceTaintEffectNoExecute || !resourceclaim.ToleratesTaint(*t, *taint) {
			continue
		}
		if t.TolerationSeconds == nil {
			return nil
		}
		if seconds := time.Duration(max(*t.TolerationSeconds, 0)) * time.Second; !limited || seconds < patience {
			patience, limited = seconds, true
		}
	}
	return &verdict{due: taint.TimeAdded.Add(patience)}
}

func taintOf(rule *resourcev1.DeviceTaintRule) *resourcev1.DeviceTaint {
	t := &rule.Spec.Taint
	return &resourcev1.DeviceTaint{Key: t.Key, Value: t.Value, Effect: t.Effect, TimeAdded: t.TimeAdded}
}

// selects reports whether the rule is about the device. One without a selector is about none.
func selects(rule *resourcev1.DeviceTaintRule, driver, pool, device string) bool {
	s := rule.Spec.DeviceSelector
	is := func(wanted *string, name string) bool { return wanted == nil || *wanted == name }
	return s != nil && is(s.Driver, driver) && is(s.Pool, pool) && is(s.Device, device)
}

// current are those of a pool's slices that count: the ones of its newest generation.
func current(all []resourcev1.ResourceSlice) []resourcev1.ResourceSlice {
	if len(all) == 0 {
		return nil
	}
	newest := slices.MaxFunc(all, func(a, b resourcev1.ResourceSlice) int {
		return cmp.Compare(a.Spec.Pool.Generation, b.Spec.Pool.Generation)
	})
	return slices.DeleteFunc(slices.Clone(all), func(s resourcev1.ResourceSlice) bool { return s.Spec.Pool.Generation != newest.Spec.Pool.Generation })
}
