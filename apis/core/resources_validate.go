package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	helper "k8s.io/component-helpers/resource"
)

// Resources without a domain in their names: those of containers, and what else is counted.
var (
	containerResources = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}
	countedResources   = []corev1.ResourceName{
		corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsEphemeralStorage,
		corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage,
		corev1.ResourcePods, corev1.ResourceQuotas, corev1.ResourceServices, corev1.ResourceReplicationControllers, corev1.ResourceSecrets,
		corev1.ResourceConfigMaps, corev1.ResourcePersistentVolumeClaims, corev1.ResourceStorage, corev1.ResourceRequestsStorage,
		corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers,
	}
	// wholeResources cannot be had in parts.
	wholeResources = []corev1.ResourceName{
		corev1.ResourceQuotas, corev1.ResourceServices, corev1.ResourceReplicationControllers, corev1.ResourceSecrets, corev1.ResourceConfigMaps,
		corev1.ResourcePersistentVolumeClaims, corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers, corev1.ResourcePods,
	}
)

// resourceName requires a name that is known, or has a domain.
func (p *problems) resourceName(at *field.Path, name corev1.ResourceName) bool {
	messages := validation.IsQualifiedName(string(name))
	p.invalid(at, name, messages...)
	if len(messages) > 0 {
		return false
	}
	if !hasDomain(string(name)) && !slices.Contains(containerResources, name) && !slices.Contains(countedResources, name) && !IsHugePages(name) && !isQuotaHugePages(name) {
		p.invalid(at, name, "must be a standard resource type or fully qualified")
		return false
	}
	return true
}

func isQuotaHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix)
}

func hasDomain(name string) bool { return strings.Contains(name, "/") }

// quantity requires an amount that is not negative, and whole where parts make no sense.
func (p *problems) quantity(at *field.Path, name corev1.ResourceName, q resource.Quantity) {
	if q.Sign() < 0 {
		p.invalid(at, q.String(), "must be greater than or equal to 0")
	}
	if (slices.Contains(wholeResources, name) || IsExtended(name)) && q.MilliValue()%1000 != 0 {
		p.invalid(at, q, "must be an integer")
	}
}

func (p *problems) positive(at *field.Path, q resource.Quantity) bool {
	if q.Sign() > 0 {
		return true
	}
	p.invalid(at, q.String(), "must be greater than zero")
	return false
}

func (p *podProblems) containerResources(at *field.Path, r *corev1.ResourceRequirements) {
	p.requirements(at, r, p.containerResource)
}

// containerResource requires a resource that containers can have.
func (p *problems) containerResource(at *field.Path, name corev1.ResourceName) {
	p.resourceName(at, name)
	switch {
	case !hasDomain(string(name)):
		if !slices.Contains(containerResources, name) && !IsHugePages(name) {
			p.invalid(at, name, "must be a standard resource for containers")
		}
	case !IsNative(name) && !IsExtended(name):
		p.invalid(at, name, "doesn't follow extended resource name standard")
	}
}

func (p *podProblems) podResources(at *field.Path) {
	r := p.spec.Resources
	if r == nil {
		return
	}
	if p.spec.OS != nil && p.spec.OS.Name == corev1.Windows {
		p.forbidden(at, "may not be set for a windows pod")
		return
	}
	if r.Claims != nil {
		p.forbidden(at.Child("claims"), "claims may not be set for Resources at pod-level")
	}
	p.requirements(at, r, func(at *field.Path, name corev1.ResourceName) {
		if p.resourceName(at, name) && !helper.IsSupportedPodLevelResource(name) {
			p.list = append(p.list, field.NotSupported(at, name, slices.Sorted(maps.Keys(helper.SupportedPodLevelResources()))))
		}
	})
	p.podResourcesSuffice(at, r)
}

// podResourcesSuffice requires that the pod as a whole gets at least what its containers need.
func (p *podProblems) podResourcesSuffice(at *field.Path, r *corev1.ResourceRequirements) {
	pod := &corev1.Pod{Spec: *p.spec}
	for name, need := range helper.AggregateContainerRequests(pod, helper.PodResourcesOptions{}) {
		if have, ok := r.Requests[name]; ok && need.Cmp(have) > 0 {
			p.invalid(at.Child("requests").Key(string(name)), have.String(), fmt.Sprintf("must be greater than or equal to aggregate container requests of %s", need.String()))
		}
	}
	for name, need := range helper.AggregateContainerLimits(pod, helper.PodResourcesOptions{}) {
		if have, ok := r.Limits[name]; ok && IsHugePages(name) && need.Cmp(have) > 0 {
			p.invalid(at.Child("limits").Key(string(name)), have.String(), fmt.Sprintf("must be greater than or equal to aggregate container limits of %s", need.String()))
		}
	}
	for i := range p.spec.Containers {
		for name, limit := range p.spec.Containers[i].Resources.Limits {
			if most, ok := r.Limits[name]; ok && limit.Cmp(most) > 0 {
				p.invalid(at.Child("containers").Index(i).Key(string(name)).Child("limits"), limit.String(), fmt.Sprintf("must be less than or equal to pod limits of %s", most.String()))
			}
		}
	}
}

// requirements checks requests and limits; named checks the name of a resource.
func (p *podProblems) requirements(at *field.Path, r *corev1.ResourceRequirements, named func(*field.Path, corev1.ResourceName)) {
	if len(r.Limits) == 0 && len(r.Requests) == 0 && len(r.Claims) == 0 {
		return
	}
	pages, base := false, false
	each := func(at *field.Path, name corev1.ResourceName, q resource.Quantity) {
		named(at, name)
		p.quantity(at, name, q)
		base = base || name == corev1.ResourceCPU || name == corev1.ResourceMemory
		if IsHugePages(name) {
			pages = true
			if !wholePages(name, q) {
				p.invalid(at, q.String(), fmt.Sprintf("%s is not positive integer multiple of %s", q.String(), name))
			}
		}
	}
	limits, requests := at.Child("limits"), at.Child("requests")
	for name, q := range r.Limits {
		each(limits.Key(string(name)), name, q)
	}
	for name, q := range r.Requests {
		each(requests.Key(string(name)), name, q)
		limit, ok := r.Limits[name]
		switch {
		case !ok && !MayOvercommit(name):
			p.required(limits, "Limit must be set for non overcommitable resources")
		case ok && !MayOvercommit(name) && q.Cmp(limit) != 0:
			p.invalid(requests, q.String(), fmt.Sprintf("must be equal to %s limit of %s", name, limit.String()))
		case ok && q.Cmp(limit) > 0:
			p.invalid(requests, q.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String()))
		}
	}
	if pages && !base {
		p.forbidden(at, "HugePages require cpu or memory")
	}
	p.claimNames(at.Child("claims"), r.Claims)
}

// wholePages reports whether the amount is a number of pages of the size in the resource's name.
func wholePages(name corev1.ResourceName, q resource.Quantity) bool {
	size, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
	return err == nil && size.Sign() > 0 && size.MilliValue()%1000 == 0 && q.Value()%size.Value() == 0
}

// claimNames checks which of the pod's claims a container uses: each whole, or by different requests.
func (p *podProblems) claimNames(at *field.Path, claims []corev1.ResourceClaim) {
	seen := map[string]bool{}
	for i, c := range claims {
		at := at.Index(i)
		if !p.need(at, c.Name) {
			continue
		}
		p.claimOnce(at, c, seen)
		if !p.claims[c.Name] {
			missing := field.NotFound(at, c.Name)
			missing.Detail = "must be one of the names in pod.spec.resourceClaims"
			if len(p.claims) == 0 {
				missing.Detail += " which is empty"
			} else {
				missing.Detail += ": " + strings.Join(slices.Sorted(maps.Keys(p.claims)), ", ")
			}
			p.list = append(p.list, missing)
		}
	}
}

func (p *podProblems) claimOnce(at *field.Path, c corev1.ResourceClaim, seen map[string]bool) {
	if seen[c.Name] {
		p.duplicate(at, c.Name)
		return
	}
	key := c.Name
	if c.Request != "" {
		p.label(at.Child("request"), c.Request)
		key += "/" + c.Request
	}
	if seen[key] {
		p.duplicate(at, key)
	} else if c.Request == "" {
		for other := range seen {
			if strings.HasPrefix(other, c.Name+"/") {
				p.duplicate(at, c.Name)
			}
		}
	}
	seen[key] = true
}
