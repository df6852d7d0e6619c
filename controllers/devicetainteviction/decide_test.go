package devicetainteviction

import (
	"slices"
	"testing"
	"time"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var start = metav1.NewTime(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))

func ruleFor(uid, device string, effect resourcev1.DeviceTaintEffect) resourcev1.DeviceTaintRule {
	r := resourcev1.DeviceTaintRule{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), Name: uid, Generation: 2}}
	r.Spec.DeviceSelector = &resourcev1.DeviceTaintSelector{Driver: new("d"), Device: &device}
	r.Spec.Taint = resourcev1.DeviceTaint{Key: "broken", Effect: effect, TimeAdded: &start}
	return r
}

func TestWhoHasToGoWhen(t *testing.T) {
	evict, schedule := resourcev1.DeviceTaintEffectNoExecute, resourcev1.DeviceTaintEffectNoSchedule
	tolerate := func(seconds *int64) resourcev1.DeviceToleration {
		return resourcev1.DeviceToleration{Key: "broken", Operator: resourcev1.DeviceTolerationOpExists, Effect: evict, TolerationSeconds: seconds}
	}
	published := &resourcev1.Device{Name: "a", Taints: []resourcev1.DeviceTaint{{Key: "broken", Effect: evict, TimeAdded: &start}}}
	for name, c := range map[string]struct {
		tolerations []resourcev1.DeviceToleration
		device      *resourcev1.Device
		rules       []resourcev1.DeviceTaintRule
		after       time.Duration // -1: may stay
		by          []types.UID
	}{
		"no taints":             {nil, nil, nil, -1, nil},
		"a rule":                {nil, nil, []resourcev1.DeviceTaintRule{ruleFor("r", "a", evict)}, 0, []types.UID{"r"}},
		"a published taint":     {nil, published, nil, 0, nil},
		"of another device":     {nil, nil, []resourcev1.DeviceTaintRule{ruleFor("r", "b", evict)}, -1, nil},
		"for scheduling only":   {nil, nil, []resourcev1.DeviceTaintRule{ruleFor("r", "a", schedule)}, -1, nil},
		"tolerated":             {[]resourcev1.DeviceToleration{tolerate(nil)}, published, []resourcev1.DeviceTaintRule{ruleFor("r", "a", evict)}, -1, nil},
		"tolerated for a while": {[]resourcev1.DeviceToleration{tolerate(new(int64(60))), tolerate(new(int64(30)))}, nil, []resourcev1.DeviceTaintRule{ruleFor("r", "a", evict)}, 30 * time.Second, []types.UID{"r"}},
		"two rules":             {nil, nil, []resourcev1.DeviceTaintRule{ruleFor("r", "a", evict), ruleFor("s", "a", evict)}, 0, []types.UID{"r", "s"}},
	} {
		t.Run(name, func(t *testing.T) {
			claim := &resourcev1.ResourceClaim{Status: resourcev1.ResourceClaimStatus{Allocation: &resourcev1.AllocationResult{}}}
			claim.Status.Allocation.Devices.Results = []resourcev1.DeviceRequestAllocationResult{{Driver: "d", Pool: "p", Device: "a", Tolerations: c.tolerations}}
			v := decide(claim, func(*resourcev1.DeviceRequestAllocationResult) *resourcev1.Device { return c.device }, c.rules)
			switch {
			case c.after < 0 && v != nil:
				t.Errorf("got %+v, but it may stay", v)
			case c.after >= 0 && (v == nil || v.due.Sub(start.Time) != c.after || !slices.Equal(v.rules, c.by)):
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestOnlyTheNewestGenerationOfAPoolCounts(t *testing.T) {
	slice := func(name string, generation int64) resourcev1.ResourceSlice {
		return resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: resourcev1.ResourceSliceSpec{Pool: resourcev1.ResourcePool{Generation: generation}}}
	}
	var got []string
	for _, s := range current([]resourcev1.ResourceSlice{slice("old", 1), slice("a", 2), slice("b", 2)}) {
		got = append(got, s.Name)
	}
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}
}

func TestConditionsTellHowFarEvictionIs(t *testing.T) {
	none, evict := resourcev1.DeviceTaintEffectNone, resourcev1.DeviceTaintEffectNoExecute
	for name, c := range map[string]struct {
		effect          resourcev1.DeviceTaintEffect
		n               counts
		status          metav1.ConditionStatus
		reason, message string
	}{
		"other": {resourcev1.DeviceTaintEffectNoSchedule, counts{}, metav1.ConditionFalse, "OtherEffect", "Eviction only happens for the NoExecute effect."},
		"none, as recorded": {none, counts{}, metav1.ConditionFalse, "NoEffect", "0 published devices selected. 0 allocated devices selected. 0 pods would be evicted in 0 different namespaces " +
			"if the effect was NoExecute. This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."},
		"none, of one": {none, counts{published: 1, allocated: 1, pending: 1, namespaces: 1}, metav1.ConditionFalse, "NoEffect", "1 published device selected. 1 allocated device selected. " +
			"1 pod would be evicted in 1 namespace if the effect was NoExecute. This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."},
		"not started": {evict, counts{}, metav1.ConditionFalse, "NotStarted", ""},
		"one":         {evict, counts{pending: 1, namespaces: 1}, metav1.ConditionTrue, "PodsPendingEviction", "1 pod needs to be evicted in 1 namespace."},
		"several": {evict, counts{pending: 3, namespaces: 2, evicted: 1}, metav1.ConditionTrue, "PodsPendingEviction",
			"3 pods need to be evicted in 2 different namespaces. 1 pod evicted since starting the controller."},
		"completed": {evict, counts{evicted: 2}, metav1.ConditionFalse, "Completed", "2 pods evicted since starting the controller."},
	} {
		rule := ruleFor("r", "a", c.effect)
		got := condition(&rule, c.n)
		want := metav1.Condition{Type: "EvictionInProgress", Status: c.status, ObservedGeneration: 2, Reason: c.reason, Message: c.message}
		if got != want {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
