package core

import (
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// extendedClaim checks the claim that was made for the extended resources of the pod's containers.
func (p *podProblems) extendedClaim(at *field.Path, s *corev1.PodExtendedResourceClaimStatus) {
	if s == nil {
		return
	}
	mappings := at.Child("requestMappings")
	if len(s.RequestMappings) == 0 {
		p.required(mappings, "at least one request mapping is required")
	}
	seen := map[corev1.ContainerExtendedResourceRequest]bool{}
	for i, m := range s.RequestMappings {
		entry := mappings.Index(i)
		if c := p.containerNamed(m.ContainerName); c == nil {
			p.invalid(entry.Child("containerName"), m.ContainerName, "must match the name of an entry in spec.initContainers.name or spec.containers.name")
		} else if _, ok := c.Resources.Requests[corev1.ResourceName(m.ResourceName)]; !ok {
			p.invalid(entry.Child("resourceName"), m.ResourceName, "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests")
		}
		p.label(at.Child("requestName"), m.RequestName)
		if seen[m] {
			p.duplicate(entry.Child("containerName"), m.ContainerName)
			p.duplicate(entry.Child("resourceName"), m.ResourceName)
			p.duplicate(entry.Child("requestName"), m.RequestName)
		}
		seen[m] = true
	}
	if name := at.Child("resourceClaimName"); p.need(name, s.ResourceClaimName) {
		p.invalid(name, s.ResourceClaimName, apivalidation.NameIsDNSSubdomain(s.ResourceClaimName, false)...)
	}
}

// containerNamed is that of the name, the main ones first.
func (p *podProblems) containerNamed(name string) *corev1.Container {
	for _, all := range [][]corev1.Container{p.spec.Containers, p.spec.InitContainers} {
		if i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == name }); i >= 0 {
			return &all[i]
		}
	}
	return nil
}

// containerUsers checks who containers run as. A runtime may report users that no pod may ask for.
func (p *podProblems) containerUsers(at *field.Path, all []corev1.ContainerStatus) {
	for i := range all {
		if all[i].User == nil || all[i].User.Linux == nil {
			continue
		}
		at, user := at.Index(i).Child("user", "linux"), all[i].User.Linux
		switch os := p.spec.OS; {
		case os != nil && os.Name == corev1.Windows:
			p.forbidden(at, "cannot be set for a windows pod")
			continue
		case os != nil && os.Name != corev1.Linux:
			continue
		}
		if user.UID < 0 || user.UID > math.MaxUint32 {
			p.invalid(at.Child("uid"), user.UID, fmt.Sprintf("must be between 0 and %d, inclusive", int64(math.MaxUint32)))
		}
		p.invalid(at.Child("gid"), user.GID, validation.IsValidGroupID(user.GID)...)
		for j, id := range user.SupplementalGroups {
			p.invalid(at.Child("supplementalGroups").Index(j), id, validation.IsValidGroupID(id)...)
		}
	}
}

// allocated checks what containers are told to have of devices: only what they asked for.
func (p *podProblems) allocated(at *field.Path, all []corev1.ContainerStatus, containers []corev1.Container, extended *corev1.PodExtendedResourceClaimStatus) {
	for i := range all {
		list := at.Index(i).Child("allocatedResourcesStatus")
		of := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == all[i].Name })
		for j := range all[i].AllocatedResourcesStatus {
			s, at := &all[i].AllocatedResourcesStatus[j], list.Index(j)
			if of >= 0 { // others may be left over from what the pod had before
				if why := notAskedFor(&containers[of], s.Name, extended); why != "" {
					p.invalid(at.Child("name"), s.Name, why)
				}
			}
			p.resourcesHealth(at.Child("resources"), s.Resources)
		}
	}
}

// notAskedFor says why the container cannot have been given the resource, or nothing.
func notAskedFor(c *corev1.Container, name corev1.ResourceName, extended *corev1.PodExtendedResourceClaimStatus) string {
	claim, isClaim := strings.CutPrefix(string(name), "claim:")
	if !isClaim {
		if _, ok := c.Resources.Requests[name]; ok {
			return ""
		}
		return "must match one of the container's resource requests"
	}
	for _, r := range c.Resources.Claims {
		if full := r.Name + "/" + r.Request; claim == full && r.Request != "" || claim == r.Name && r.Request == "" {
			return ""
		}
	}
	if ofExtended(c, claim, extended) {
		return ""
	}
	return "must match one of the container's resource claims as 'claim:<claimName>/<requestName>' when container.resources.claims[*].request is set or 'claim:<claimName>' when it is empty"
}

// ofExtended reports whether claim, a claim's name and that of a request, was made for an extended resource of the container.
func ofExtended(c *corev1.Container, claim string, s *corev1.PodExtendedResourceClaimStatus) bool {
	name, request, _ := strings.Cut(claim, "/")
	if s == nil || name == "" || request == "" || name != s.ResourceClaimName {
		return false
	}
	return slices.ContainsFunc(s.RequestMappings, func(m corev1.ContainerExtendedResourceRequest) bool {
		quantity := c.Resources.Requests[corev1.ResourceName(m.ResourceName)]
		return m.ContainerName == c.Name && m.RequestName == request && !quantity.IsZero()
	})
}

func (p *podProblems) resourcesHealth(at *field.Path, all []corev1.ResourceHealth) {
	seen := map[corev1.ResourceID]bool{}
	for i := range all {
		at, r := at.Index(i), &all[i]
		oneOf(&p.problems, at.Child("health"), r.Health, corev1.ResourceHealthStatusHealthy, corev1.ResourceHealthStatusUnhealthy, corev1.ResourceHealthStatusUnknown)
		if m := r.Message; m != nil && *m == "" {
			p.required(at.Child("message"), "must be non-empty if specified")
		} else if m != nil && len(*m) > corev1.ResourceHealthMessageMaxLength {
			p.list = append(p.list, field.TooLong(at.Child("message"), *m, corev1.ResourceHealthMessageMaxLength))
		}
		if seen[r.ResourceID] {
			p.duplicate(at.Child("resourceID"), r.ResourceID)
		}
		seen[r.ResourceID] = true
	}
}

func (p *podProblems) nothingAllocated(at *field.Path, all []corev1.ContainerStatus) {
	for i := range all {
		if len(all[i].AllocatedResourcesStatus) > 0 {
			p.forbidden(at.Index(i).Child("allocatedResourcesStatus"), "must not be specified in container status")
		}
	}
}
