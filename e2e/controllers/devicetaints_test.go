package controllers_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// eviction waits until the rule's condition has the reason.
func eviction(t *testing.T, rule *resourcev1.DeviceTaintRule, reason string) *metav1.Condition {
	t.Helper()
	var c *metav1.Condition
	eventually(t, rule, func() error {
		if c = meta.FindStatusCondition(rule.Status.Conditions, resourcev1.DeviceTaintConditionEvictionInProgress); c == nil || c.Reason != reason {
			return fmt.Errorf("conditions %+v", rule.Status.Conditions)
		}
		return nil
	})
	return c
}

func TestPodsLeaveTaintedDevices(t *testing.T) {
	ns := namespace(t)
	const driver = "taints.example.com"
	slice := &resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: "taints"}}
	slice.Spec.Driver, slice.Spec.Pool = driver, resourcev1.ResourcePool{Name: "pool", ResourceSliceCount: 1}
	slice.Spec.AllNodes, slice.Spec.Devices = new(true), []resourcev1.Device{{Name: "one"}, {Name: "two"}}
	temporary(t, slice)
	claim := &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "claim"}}
	claim.Spec.Devices.Requests = []resourcev1.DeviceRequest{{Name: "r", Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: "any"}}}
	create(t, claim)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "user"}, Spec: corev1.PodSpec{
		SchedulerName: "nobody", NodeName: "nowhere",
		Containers:     []corev1.Container{{Name: "c", Image: "image", Resources: corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "c"}}}}},
		ResourceClaims: []corev1.PodResourceClaim{{Name: "c", ResourceClaimName: new("claim")}},
	}}
	create(t, pod)
	change(t, claim, updateStatus, func(c *resourcev1.ResourceClaim) {
		c.Status.Allocation = &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{
			Results: []resourcev1.DeviceRequestAllocationResult{{Request: "r", Driver: driver, Pool: "pool", Device: "one"}},
		}}
		c.Status.ReservedFor = []resourcev1.ResourceClaimConsumerReference{{Resource: "pods", Name: pod.Name, UID: pod.UID}}
	})
	rule := func(name string, effect resourcev1.DeviceTaintEffect) *resourcev1.DeviceTaintRule {
		r := &resourcev1.DeviceTaintRule{ObjectMeta: metav1.ObjectMeta{Name: name}}
		r.Spec.DeviceSelector = &resourcev1.DeviceTaintSelector{Driver: new(driver)}
		r.Spec.Taint = resourcev1.DeviceTaint{Key: "example.com/broken", Effect: effect}
		temporary(t, r)
		return r
	}
	c := eviction(t, rule("tried", resourcev1.DeviceTaintEffectNone), "NoEffect")
	const told = "2 published devices selected. 1 allocated device selected. 1 pod would be evicted in 1 namespace if the effect was NoExecute. " +
		"This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."
	if c.Message != told {
		t.Errorf("got %s", c.Message)
	}
	eviction(t, rule("other", resourcev1.DeviceTaintEffectNoSchedule), "OtherEffect")
	if get(t, pod); pod.DeletionTimestamp != nil {
		t.Fatal("a Pod was evicted by a rule that evicts nobody")
	}
	rule("evicting", resourcev1.DeviceTaintEffectNoExecute)
	eventually(t, pod, func() error {
		if pod.DeletionTimestamp == nil {
			return fmt.Errorf("it stays")
		}
		return nil
	})
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Reason == "DeletionByDeviceTaintManager" {
			return
		}
	}
	t.Errorf("conditions %+v", pod.Status.Conditions)
}
