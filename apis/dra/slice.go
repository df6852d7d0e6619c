package dra

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidateSlice checks the devices of a slice; old is nil on create.
func ValidateSlice(s, old *resourcev1.ResourceSlice) field.ErrorList {
	errs := append(rule.DriverName(s.Spec.Driver, spec.Child("driver")), validateResourcePool(&s.Spec.Pool, spec.Child("pool"))...)
	var was *resourcev1.ResourceSliceSpec
	if old != nil {
		was = &old.Spec
		errs = slices.Concat(errs,
			rule.Immutable(s.Spec.Pool.Name, was.Pool.Name, spec.Child("pool", "name")),
			rule.Immutable(s.Spec.Driver, was.Driver, spec.Child("driver")),
			rule.Immutable(s.Spec.NodeName, was.NodeName, spec.Child("nodeName")),
		)
	}
	errs = append(errs, validateWhere(&s.Spec)...)
	if s.Spec.SharedCounters != nil && s.Spec.Devices != nil {
		errs = append(errs, field.Invalid(spec, "", "only one of `sharedCounters` or `devices` is allowed"))
	}
	errs = append(errs, eachUnique(s.Spec.Devices, maxDevices(&s.Spec), func(d *resourcev1.Device, at *field.Path) field.ErrorList {
		return validateDevice(d, deviceOf(was, d.Name), isTrue(s.Spec.PerDeviceNodeSelection), at)
	}, func(d *resourcev1.Device) string { return d.Name }, spec.Child("devices"))...)
	return append(errs, eachOnce(s.Spec.SharedCounters, resourcev1.ResourceSliceMaxCounterSets, func(c *resourcev1.CounterSet, at *field.Path) field.ErrorList {
		return validateCounters(c.Name, c.Counters, resourcev1.ResourceSliceMaxCountersPerCounterSet, at.Child("name"), at.Child("counters"))
	}, func(c *resourcev1.CounterSet) string { return c.Name }, spec.Child("sharedCounters"))...)
}

func validateResourcePool(p *resourcev1.ResourcePool, at *field.Path) field.ErrorList {
	errs := validatePool(p.Name, at.Child("name"))
	if p.ResourceSliceCount <= 0 {
		errs = append(errs, field.Invalid(at.Child("resourceSliceCount"), p.ResourceSliceCount, "must be greater than zero"))
	}
	if p.Generation < 0 {
		errs = append(errs, field.Invalid(at.Child("generation"), p.Generation, "must be greater than or equal to zero"))
	}
	return errs
}

// validateWhere requires exactly one way of saying which nodes can use the devices.
func validateWhere(s *resourcev1.ResourceSliceSpec) (errs field.ErrorList) {
	var set []string
	if s.NodeName != nil && *s.NodeName == "" {
		errs = append(errs, field.Invalid(spec.Child("nodeName"), *s.NodeName, "must be either unset or set to a non-empty string"))
	} else if s.NodeName != nil {
		set = append(set, "`nodeName`")
		errs = append(errs, rule.DNSSubdomain(*s.NodeName, spec.Child("nodeName"))...)
	}
	if s.NodeSelector != nil {
		set = append(set, "`nodeSelector`")
		if terms := s.NodeSelector.NodeSelectorTerms; len(terms) != 1 {
			errs = append(errs, field.Invalid(spec.Child("nodeSelector", "nodeSelectorTerms"), terms, "must have exactly one node selector term"))
		}
		errs = append(errs, core.ValidateNodeSelector(s.NodeSelector, spec.Child("nodeSelector"))...)
	}
	for _, flag := range []struct {
		name string
		set  *bool
	}{{"allNodes", s.AllNodes}, {"perDeviceNodeSelection", s.PerDeviceNodeSelection}} {
		if isTrue(flag.set) {
			set = append(set, "`"+flag.name+"`")
		} else if flag.set != nil {
			errs = append(errs, field.Invalid(spec.Child(flag.name), *flag.set, "must be either unset or set to true"))
		}
	}
	const detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
	switch len(set) {
	case 0:
		errs = append(errs, field.Required(spec, detail))
	case 1:
	default:
		errs = append(errs, field.Invalid(spec, "{"+strings.Join(set, ", ")+"}", detail+", but multiple fields are set"))
	}
	return errs
}

// maxDevices is lower where devices need more room each.
func maxDevices(s *resourcev1.ResourceSliceSpec) int {
	large := func(d resourcev1.Device) bool {
		if len(d.Taints)+len(d.ConsumesCounters) > 0 {
			return true
		}
		for _, a := range d.Attributes {
			if a.BoolValues != nil || a.IntValues != nil || a.StringValues != nil || a.VersionValues != nil {
				return true
			}
		}
		return false
	}
	if slices.ContainsFunc(s.Devices, large) {
		return resourcev1.ResourceSliceMaxDevicesWithAdvancedFeatures
	}
	return resourcev1.ResourceSliceMaxDevices
}

func deviceOf(s *resourcev1.ResourceSliceSpec, name string) *resourcev1.Device {
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(s.Devices, func(d resourcev1.Device) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Devices[i]
}

func validateCounters(set string, counters map[string]resourcev1.Counter, most int, name, at *field.Path) (errs field.ErrorList) {
	if set == "" {
		errs = append(errs, field.Required(name, ""))
	} else {
		errs = append(errs, rule.DNSLabel(set, name)...)
	}
	switch n := len(counters); {
	case n == 0:
		return append(errs, field.Required(at, ""))
	case n > most:
		return append(errs, field.TooMany(at, n, most))
	}
	for counter := range counters {
		errs = append(errs, rule.DNSLabel(counter, at)...)
	}
	return errs
}

// GatedSlice are the fields of devices whose features are off by default.
func GatedSlice() []feature.Field[*resourcev1.ResourceSlice] {
	return []feature.Field[*resourcev1.ResourceSlice]{{
		Gate:  feature.DRANodeAllocatableResources,
		InUse: func(s *resourcev1.ResourceSlice) bool { return usesNodeResources(&s.Spec) },
		Drop: func(s *resourcev1.ResourceSlice) {
			for i := range s.Spec.Devices {
				s.Spec.Devices[i].NodeAllocatableResources = nil
			}
		},
	}, {
		Gate:  feature.DRAPartitionableDevicesType,
		InUse: func(s *resourcev1.ResourceSlice) bool { return s.Spec.PartitionTypeAttribute != nil },
		Drop:  func(s *resourcev1.ResourceSlice) { s.Spec.PartitionTypeAttribute = nil },
	}, {
		Gate:  feature.DRAOptionalNodeOperations,
		InUse: func(s *resourcev1.ResourceSlice) bool { return len(s.Spec.SkipNodeOperations) > 0 },
		Drop:  func(s *resourcev1.ResourceSlice) { s.Spec.SkipNodeOperations = nil },
	}, {
		Gate:  feature.DRADeviceCompatibilityGroups,
		InUse: func(s *resourcev1.ResourceSlice) bool { return slices.ContainsFunc(consumed(&s.Spec), inGroups) },
		Drop: func(s *resourcev1.ResourceSlice) {
			for _, c := range consumed(&s.Spec) {
				c.CompatibilityGroups = nil
			}
		},
	}, {
		Gate:  feature.DRAListTypeAttributes,
		InUse: func(s *resourcev1.ResourceSlice) bool { return usesLists(&s.Spec) },
		Drop: func(s *resourcev1.ResourceSlice) {
			for i := range s.Spec.Devices {
				for name, a := range s.Spec.Devices[i].Attributes {
					a.BoolValues, a.IntValues, a.StringValues, a.VersionValues = nil, nil, nil, nil
					s.Spec.Devices[i].Attributes[name] = a
				}
			}
		},
	}}
}

// consumed are the counters that devices of the slice consume.
func consumed(s *resourcev1.ResourceSliceSpec) (all []*resourcev1.DeviceCounterConsumption) {
	for i := range s.Devices {
		for j := range s.Devices[i].ConsumesCounters {
			all = append(all, &s.Devices[i].ConsumesCounters[j])
		}
	}
	return all
}

func inGroups(c *resourcev1.DeviceCounterConsumption) bool { return len(c.CompatibilityGroups) > 0 }

func usesLists(s *resourcev1.ResourceSliceSpec) bool {
	for i := range s.Devices {
		for _, a := range s.Devices[i].Attributes {
			if a.BoolValues != nil || a.IntValues != nil || a.StringValues != nil || a.VersionValues != nil {
				return true
			}
		}
	}
	return false
}

func usesNodeResources(s *resourcev1.ResourceSliceSpec) bool {
	return slices.ContainsFunc(s.Devices, func(d resourcev1.Device) bool { return d.NodeAllocatableResources != nil })
}

func validateNodeResources(resources map[corev1.ResourceName]resourcev1.NodeAllocatableResource, capacity map[resourcev1.QualifiedName]resourcev1.DeviceCapacity, at *field.Path) (errs field.ErrorList) {
	for name, r := range resources {
		at := at.Key(string(name))
		if !core.IsNodeAllocatable(name) {
			errs = append(errs, field.Invalid(at, name, "must be a node allocatable resource name"))
		}
		if r.Mapping == nil && r.Overhead == nil {
			errs = append(errs, field.Required(at, "at least one of mapping or overhead must be set"))
		}
		errs = append(errs, validateMapping(r.Mapping, capacity, at.Child("mapping"))...)
		errs = append(errs, validateOverhead(r.Overhead, at.Child("overhead"))...)
	}
	return errs
}

func validateMapping(m *resourcev1.NodeAllocatableMapping, capacity map[resourcev1.QualifiedName]resourcev1.DeviceCapacity, at *field.Path) (errs field.ErrorList) {
	if m == nil {
		return nil
	}
	key, perUnit, perDevice := at.Child("capacityKey"), at.Child("capacityMultiplier"), at.Child("deviceMultiplier")
	switch {
	case m.CapacityKey == nil && m.CapacityMultiplier != nil:
		errs = append(errs, field.Required(key, "capacityKey is required when capacityMultiplier is set").WithOrigin("dependentRequired"))
	case m.CapacityKey == nil:
	case *m.CapacityKey == "":
		errs = append(errs, field.Invalid(key, "", "capacityKey must not be an empty string"))
	default:
		if _, ok := capacity[*m.CapacityKey]; !ok {
			errs = append(errs, field.NotFound(key, *m.CapacityKey))
		}
	}
	switch n := m.CapacityMultiplier; {
	case m.CapacityKey == nil:
	case n == nil:
		errs = append(errs, field.Required(perUnit, "capacityMultiplier is required when capacityKey is set").WithOrigin("dependentRequired"))
	case n.Sign() <= 0:
		errs = append(errs, field.Invalid(perUnit, n.String(), "must be positive"))
	}
	if n := m.DeviceMultiplier; n != nil && n.Sign() <= 0 {
		errs = append(errs, field.Invalid(perDevice, n.String(), "must be positive"))
	}
	return errs
}

func validateOverhead(o *resourcev1.NodeAllocatableOverhead, at *field.Path) (errs field.ErrorList) {
	if o == nil {
		return nil
	}
	if o.PerPod == nil && o.PerContainer == nil {
		return field.ErrorList{field.Invalid(at, "", "at least one of perPod or perContainer must be set")}
	}
	if n := o.PerPod; n != nil && n.Sign() < 0 {
		errs = append(errs, field.Invalid(at.Child("perPod"), n.String(), "must be non-negative"))
	}
	if n := o.PerContainer; n != nil && n.Sign() < 0 {
		errs = append(errs, field.Invalid(at.Child("perContainer"), n.String(), "must be non-negative"))
	}
	return errs
}
