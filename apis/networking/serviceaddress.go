package networking

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// IPAddressName requires that an IPAddress is called as the address, in its canonical form.
func IPAddressName(name string, _ bool) (messages []string) {
	for _, err := range validation.IsValidIP(nil, name) {
		messages = append(messages, err.Detail)
	}
	return messages
}

// ValidateIPAddress checks who has the address.
func ValidateIPAddress(a *networkingv1.IPAddress) (errs field.ErrorList) {
	parent, at := a.Spec.ParentRef, spec.Child("parentRef")
	if parent == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	if parent.Group != "" {
		errs = rule.DNSSubdomain(parent.Group, at.Child("group"))
	}
	errs = slices.Concat(errs,
		rule.RequiredPathSegment(parent.Resource, at.Child("resource")),
		rule.RequiredPathSegment(parent.Name, at.Child("name")),
	)
	if parent.Namespace != "" {
		errs = append(errs, rule.PathSegment(parent.Namespace, at.Child("namespace"))...)
	}
	return errs
}

// ValidateIPAddressUpdate lets nobody pass an address on.
func ValidateIPAddressUpdate(a, old *networkingv1.IPAddress) field.ErrorList {
	return append(ValidateIPAddress(a), rule.Fixed(a.Spec.ParentRef, old.Spec.ParentRef, spec.Child("parentRef"))...)
}

// ValidateServiceCIDR checks the ranges of a new one.
func ValidateServiceCIDR(c *networkingv1.ServiceCIDR) (errs field.ErrorList) {
	at, all := spec.Child("cidrs"), c.Spec.CIDRs
	switch {
	case len(all) == 0:
		return field.ErrorList{field.Required(at, "at least one CIDR required")}
	case len(all) > 2:
		return field.ErrorList{field.Invalid(at, c.Spec, "may only hold up to 2 values")}
	}
	for i, cidr := range all {
		errs = append(errs, validation.IsValidCIDR(at.Index(i), cidr)...)
	}
	if len(all) == 2 && netutils.IPFamilyOfCIDRString(all[0]) != netutils.IPFamilyUnknown &&
		netutils.IPFamilyOfCIDRString(all[0]) == netutils.IPFamilyOfCIDRString(all[1]) {
		errs = append(errs, field.Invalid(at, all, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"))
	}
	return errs
}

// ValidateServiceCIDRUpdate keeps the ranges: services have addresses of them. A second family may come.
func ValidateServiceCIDRUpdate(c, old *networkingv1.ServiceCIDR) (errs field.ErrorList) {
	at, all, was := spec.Child("cidrs"), c.Spec.CIDRs, old.Spec.CIDRs
	second := len(was) == 1 && len(all) == 2
	if len(all) != len(was) && !second {
		return field.ErrorList{field.Invalid(at, all, apivalidation.FieldImmutableErrorMsg)}
	}
	for i := range was {
		if all[i] != was[i] {
			errs = append(errs, field.Invalid(at.Index(i), all[i], apivalidation.FieldImmutableErrorMsg))
		}
	}
	if second {
		errs = append(errs, ValidateServiceCIDR(c)...)
	}
	return errs
}
