// Package discovery says what the objects of discovery.k8s.io mean.
package discovery

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	maxAddresses = 100
	maxPorts     = 20000
	maxEndpoints = 1000
	maxTopology  = 16
	maxHints     = 8
)

// DefaultEndpointSlice names the ports "" and makes them TCP.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
func DefaultEndpointSlice(s *discoveryv1.EndpointSlice) {
	for i := range s.Ports {
		if p := &s.Ports[i]; p.Name == nil {
			p.Name = new("")
		}
		if p := &s.Ports[i]; p.Protocol == nil {
			p.Protocol = new(corev1.ProtocolTCP)
		}
	}
}

// DropTopology removes what v1beta1 clients once wrote, unless the endpoints are as in old, which may be nil.
func DropTopology(s, old *discoveryv1.EndpointSlice) {
	if old != nil && apiequality.Semantic.DeepEqual(s.Endpoints, old.Endpoints) {
		return
	}
	for i := range s.Endpoints {
		s.Endpoints[i].DeprecatedTopology = nil
	}
}

// ValidateEndpointSlice checks addresses and ports of a new slice.
func ValidateEndpointSlice(s *discoveryv1.EndpointSlice) field.ErrorList {
	return append(validateRest(s), validateEndpoints(s.Endpoints, s.AddressType, field.NewPath("endpoints"))...)
}

// ValidateEndpointSliceUpdate keeps the type of addresses, and checks endpoints if they have changed.
func ValidateEndpointSliceUpdate(s, old *discoveryv1.EndpointSlice) field.ErrorList {
	errs := validateRest(s)
	if !apiequality.Semantic.DeepEqual(s.Endpoints, old.Endpoints) {
		errs = append(errs, validateEndpoints(s.Endpoints, s.AddressType, field.NewPath("endpoints"))...)
	}
	return append(errs, rule.Immutable(s.AddressType, old.AddressType, field.NewPath("addressType"))...)
}

func validateRest(s *discoveryv1.EndpointSlice) field.ErrorList {
	errs := rule.RequiredOneOf(s.AddressType, field.NewPath("addressType"), discoveryv1.AddressTypeFQDN, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6)
	return append(errs, validatePorts(s.Ports, field.NewPath("ports"))...)
}

func validatePorts(ports []discoveryv1.EndpointPort, at *field.Path) (errs field.ErrorList) {
	if len(ports) > maxPorts {
		return field.ErrorList{field.TooMany(at, len(ports), maxPorts)}
	}
	seen := map[string]bool{}
	for i, p := range ports {
		at, name := at.Index(i), ""
		if p.Name != nil {
			name = *p.Name
		}
		if name != "" {
			errs = append(errs, rule.DNSLabel(name, at.Child("name"))...)
		}
		if seen[name] {
			errs = append(errs, field.Duplicate(at.Child("name"), name))
		}
		seen[name] = true
		if p.Protocol == nil {
			errs = append(errs, field.Required(at.Child("protocol"), ""))
		} else {
			errs = append(errs, rule.OneOf(*p.Protocol, at.Child("protocol"), corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)...)
		}
		if p.AppProtocol != nil {
			errs = append(errs, rule.QualifiedName(*p.AppProtocol, at.Child("appProtocol"))...)
		}
	}
	return errs
}

func validateEndpoints(endpoints []discoveryv1.Endpoint, kind discoveryv1.AddressType, at *field.Path) (errs field.ErrorList) {
	if len(endpoints) > maxEndpoints {
		return field.ErrorList{field.TooMany(at, len(endpoints), maxEndpoints)}
	}
	for i := range endpoints {
		e, at := &endpoints[i], at.Index(i)
		errs = append(errs, validateAddresses(e.Addresses, kind, at.Child("addresses"))...)
		if e.NodeName != nil {
			errs = append(errs, rule.DNSSubdomain(*e.NodeName, at.Child("nodeName"))...)
		}
		topology := at.Child("deprecatedTopology")
		if n := len(e.DeprecatedTopology); n > maxTopology {
			errs = append(errs, field.TooMany(topology, n, maxTopology))
		}
		errs = append(errs, metav1validation.ValidateLabels(e.DeprecatedTopology, topology)...)
		if e.Hostname != nil {
			errs = append(errs, rule.DNSLabel(*e.Hostname, at.Child("hostname"))...)
		}
		if e.Hints != nil {
			errs = append(errs, validateHints(e.Hints, at.Child("hints"))...)
		}
	}
	return errs
}

func validateAddresses(addresses []string, kind discoveryv1.AddressType, at *field.Path) (errs field.ErrorList) {
	switch n := len(addresses); {
	case n == 0:
		errs = append(errs, field.Required(at, ""))
	case n > maxAddresses:
		errs = append(errs, field.TooMany(at, n, maxAddresses))
	}
	for i, address := range addresses {
		switch each := at.Index(i); kind {
		case discoveryv1.AddressTypeIPv4:
			errs = append(errs, validateIP(address, netutils.IsIPv4String(address), "IPv4", at, each)...)
		case discoveryv1.AddressTypeIPv6:
			errs = append(errs, validateIP(address, netutils.IsIPv6String(address), "IPv6", at, each)...)
		case discoveryv1.AddressTypeFQDN:
			errs = append(errs, validation.IsFullyQualifiedDomainName(each, address)...)
		}
	}
	return errs
}

func validateIP(address string, ofFamily bool, family string, all, at *field.Path) (errs field.ErrorList) {
	if family == "IPv6" {
		errs = validation.IsValidIP(at, address)
	} else {
		errs = validation.IsValidIPForLegacyField(at, address, true, nil)
	}
	if len(errs) > 0 {
		return errs
	}
	if !ofFamily {
		errs = append(errs, field.Invalid(all, address, fmt.Sprintf("must be an %s address", family)))
	}
	return append(errs, rule.EndpointIP(address, at)...)
}

func validateHints(h *discoveryv1.EndpointHints, at *field.Path) field.ErrorList {
	zones := make([]string, len(h.ForZones))
	for i := range h.ForZones {
		zones[i] = h.ForZones[i].Name
	}
	nodes := make([]string, len(h.ForNodes))
	for i := range h.ForNodes {
		nodes[i] = h.ForNodes[i].Name
	}
	errs := validateHint(zones, at.Child("forZones"), validation.IsValidLabelValue)
	if len(zones) > maxHints {
		return errs
	}
	return append(errs, validateHint(nodes, at.Child("forNodes"), func(name string) []string { return apivalidation.NameIsDNSSubdomain(name, false) })...)
}

func validateHint(names []string, at *field.Path, check func(string) []string) (errs field.ErrorList) {
	if len(names) > maxHints {
		return field.ErrorList{field.TooMany(at, len(names), maxHints)}
	}
	for i, name := range names {
		at := at.Index(i).Child("name")
		if slices.Contains(names[:i], name) {
			errs = append(errs, field.Duplicate(at, name))
		}
		errs = append(errs, rule.Invalid(at, name, check(name))...)
	}
	return errs
}
