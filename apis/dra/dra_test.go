package dra

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/feature"
)

func paths(errs field.ErrorList) (all []string) {
	for _, err := range errs {
		all = append(all, err.Field)
	}
	return all
}

func TestCapacities(t *testing.T) {
	q := resource.MustParse
	p := func(text string) *resource.Quantity { return new(q(text)) }
	with := func(policy *resourcev1.CapacityRequestPolicy) *resourcev1.DeviceCapacity {
		return &resourcev1.DeviceCapacity{Value: q("10"), RequestPolicy: policy}
	}
	span := func(fallback, least, most, step *resource.Quantity) *resourcev1.DeviceCapacity {
		return with(&resourcev1.CapacityRequestPolicy{Default: fallback, ValidRange: &resourcev1.CapacityRequestPolicyRange{Min: least, Max: most, Step: step}})
	}
	values := func(fallback *resource.Quantity, values ...resource.Quantity) *resourcev1.DeviceCapacity {
		return with(&resourcev1.CapacityRequestPolicy{Default: fallback, ValidValues: values})
	}
	for _, c := range []struct {
		name     string
		capacity *resourcev1.DeviceCapacity
		want     []string
	}{
		{"whole", with(nil), nil},
		{"values", values(p("2"), q("1"), q("2")), nil},
		{"no default", values(nil, q("1")), []string{"c.requestPolicy.default"}},
		{"default of other value", values(p("3"), q("1"), q("2")), []string{"c.requestPolicy.validValues"}},
		{"unsorted, twice, too much", values(p("2"), q("11"), q("2"), q("2")),
			[]string{"c.requestPolicy.validValues[1]", "c.requestPolicy.validValues[0]", "c.requestPolicy.validValues[2]"}},
		{"range", span(p("4"), p("2"), p("8"), p("2")), nil},
		{"range without start", span(p("4"), nil, p("8"), nil), []string{"c.requestPolicy.validRange.min"}},
		{"range backwards", span(p("5"), p("8"), p("2"), nil), []string{"c.requestPolicy.validRange.default", "c.requestPolicy.validRange.max", "c.requestPolicy.validRange.default"}},
		{"off the steps", span(p("3"), p("2"), p("7"), p("2")), []string{"c.requestPolicy.validRange.step", "c.requestPolicy.validRange.step"}},
		{"steps of nothing", span(p("3"), p("2"), p("7"), p("0")), []string{"c.requestPolicy.validRange.step"}},
		{"steps of less than one", span(p("1500m"), p("1"), p("2"), p("250m")), nil},
		{"off such steps", span(p("1300m"), p("1"), p("2"), p("250m")), []string{"c.requestPolicy.validRange.step"}},
		{"a part of whole steps", span(p("2500m"), p("2"), p("4"), p("1")), []string{"c.requestPolicy.validRange.step"}},
		{"too small to count", span(p("1"), p("1u"), nil, p("1")), []string{"c.requestPolicy.validRange.min"}},
		{"below nothing", span(p("1"), p("-1"), nil, p("1")), []string{"c.requestPolicy.validRange.min"}},
		{"too much to count", span(p("18446744073709551616"), p("1"), nil, p("1")), []string{"c.requestPolicy.validRange.default"}},
		{"values of less than one", values(p("1"), q("250m"), q("500m"), q("1")), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, paths(validateCapacity(c.capacity, true, field.NewPath("c")))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if errs := validateCapacity(values(p("2"), q("2")), false, field.NewPath("c")); len(errs) != 1 || errs[0].Type != field.ErrorTypeForbidden {
		t.Errorf("a device for one: got %v", errs)
	}
}

func TestClaimStatus(t *testing.T) {
	result := resourcev1.DeviceRequestAllocationResult{Request: "r", Driver: "d.example.com", Pool: "p", Device: "d0"}
	claim := func(change func(*resourcev1.ResourceClaim)) *resourcev1.ResourceClaim {
		c := &resourcev1.ResourceClaim{Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{Requests: []resourcev1.DeviceRequest{{Name: "r"}}}}}
		c.Status.Allocation = &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{Results: []resourcev1.DeviceRequestAllocationResult{result}}}
		c.Status.ReservedFor = []resourcev1.ResourceClaimConsumerReference{{Resource: "pods", Name: "a", UID: "1"}}
		change(c)
		return c
	}
	same, now := func(*resourcev1.ResourceClaim) {}, metav1.Now()
	free := func(c *resourcev1.ResourceClaim) { c.Status = resourcev1.ResourceClaimStatus{} }
	for _, c := range []struct {
		name     string
		old, new func(*resourcev1.ResourceClaim)
		want     []string
	}{
		{"allocate and reserve", free, same, nil},
		{"allocate another device", same, func(c *resourcev1.ResourceClaim) { c.Status.Allocation.Devices.Results[0].Device = "d1" }, []string{"status.allocation"}},
		{"for no request", free, func(c *resourcev1.ResourceClaim) { c.Status.Allocation.Devices.Results[0].Request = "x" }, []string{"status.allocation.devices.results[0].request"}},
		{"reserve what is not allocated", free, func(c *resourcev1.ResourceClaim) { c.Status.Allocation = nil }, []string{"status.reservedFor"}},
		{"reserve while it goes", same, func(c *resourcev1.ResourceClaim) {
			c.DeletionTimestamp = &now
			c.Status.ReservedFor = append(c.Status.ReservedFor, resourcev1.ResourceClaimConsumerReference{Resource: "pods", Name: "b", UID: "2"})
		}, []string{"status.reservedFor"}},
		{"reserve twice", free, func(c *resourcev1.ResourceClaim) {
			c.Status.ReservedFor = append(c.Status.ReservedFor, c.Status.ReservedFor[0])
		}, []string{"status.reservedFor[1]"}},
		{"status of another device", same, func(c *resourcev1.ResourceClaim) {
			c.Status.Devices = []resourcev1.AllocatedDeviceStatus{{Driver: "d.example.com", Pool: "p", Device: "d9"}}
		}, []string{"status.devices[0]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, paths(ValidateClaimStatus(claim(c.new), claim(c.old)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatusOfDevicesGoesWithThem(t *testing.T) {
	status := []resourcev1.AllocatedDeviceStatus{{Driver: "d", Pool: "p", Device: "d0"}, {Driver: "d", Pool: "p", Device: "unknown"}}
	old := &resourcev1.ResourceClaim{Status: resourcev1.ResourceClaimStatus{Devices: status, Allocation: &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{
		Results: []resourcev1.DeviceRequestAllocationResult{{Driver: "d", Pool: "p", Device: "d0"}},
	}}}}
	c := &resourcev1.ResourceClaim{Status: resourcev1.ResourceClaimStatus{Devices: append([]resourcev1.AllocatedDeviceStatus(nil), status...)}}
	DropDeallocated(c, old)
	if len(c.Status.Devices) != 1 || c.Status.Devices[0].Device != "unknown" {
		t.Errorf("left are %v", c.Status.Devices)
	}
}

func TestAlphaFieldsAreDroppedUnlessInUse(t *testing.T) {
	slice := func() *resourcev1.ResourceSlice {
		return &resourcev1.ResourceSlice{Spec: resourcev1.ResourceSliceSpec{Devices: []resourcev1.Device{{
			Attributes:               map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{"a": {IntValues: []int64{1}}},
			NodeAllocatableResources: map[corev1.ResourceName]resourcev1.NodeAllocatableResource{"cpu": {}},
		}}}}
	}
	s := slice()
	feature.Drop(nil, GatedSlice(), s, nil)
	if d := s.Spec.Devices[0]; d.Attributes["a"].IntValues != nil || d.NodeAllocatableResources != nil {
		t.Errorf("left is %+v", d)
	}
	s = slice()
	old := slice()
	feature.Drop(nil, GatedSlice(), s, &old)
	if diff := cmp.Diff(slice(), s); diff != "" {
		t.Errorf("dropped what is in use:\n%s", diff)
	}
}

func TestTaintsAreTimed(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 5, time.UTC))
	s := &resourcev1.ResourceSlice{Spec: resourcev1.ResourceSliceSpec{Devices: []resourcev1.Device{{Taints: []resourcev1.DeviceTaint{{Key: "k"}}}}}}
	DefaultResourceSlice(s, now)
	if got := s.Spec.Devices[0].Taints[0].TimeAdded; got == nil || got.Nanosecond() != 0 || got.Unix() != now.Unix() {
		t.Errorf("got %v", got)
	}
}
