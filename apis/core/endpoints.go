package core

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultEndpoints makes ports TCP ports.
func DefaultEndpoints(e *corev1.Endpoints) {
	for i := range e.Subsets {
		for j := range e.Subsets[i].Ports {
			setDefault(&e.Subsets[i].Ports[j].Protocol, corev1.ProtocolTCP)
		}
	}
}

// ValidateEndpoints checks endpoints that are created (old is nil) or updated. Subsets that do not change are not judged anew.
func ValidateEndpoints(e, old *corev1.Endpoints) field.ErrorList {
	var p problems
	if when, ok := e.Annotations[corev1.EndpointsLastChangeTriggerTime]; ok {
		if _, err := time.Parse(time.RFC3339Nano, when); err != nil {
			p.invalid(field.NewPath("annotations").Key(corev1.EndpointsLastChangeTriggerTime), when, err.Error())
		}
	}
	if old == nil || !apiequality.Semantic.DeepEqual(old.Subsets, e.Subsets) {
		for i := range e.Subsets {
			p.endpointSubset(field.NewPath("subsets").Index(i), &e.Subsets[i])
		}
	}
	return p.list
}

func (p *problems) endpointSubset(at *field.Path, s *corev1.EndpointSubset) {
	if len(s.Addresses) == 0 && len(s.NotReadyAddresses) == 0 {
		p.required(at, "must specify `addresses` or `notReadyAddresses`")
	}
	for i := range s.Addresses {
		p.endpointAddress(at.Child("addresses").Index(i), &s.Addresses[i])
	}
	for i := range s.NotReadyAddresses {
		p.endpointAddress(at.Child("notReadyAddresses").Index(i), &s.NotReadyAddresses[i])
	}
	for i, port := range s.Ports {
		at := at.Child("ports").Index(i)
		if port.Name != "" {
			p.label(at.Child("name"), port.Name)
		} else if len(s.Ports) > 1 {
			p.required(at.Child("name"), "")
		}
		p.portNumber(at.Child("port"), port.Port)
		p.protocol(at.Child("protocol"), port.Protocol)
		if port.AppProtocol != nil {
			p.qualifiedName(at.Child("appProtocol"), *port.AppProtocol)
		}
	}
}

func (p *problems) endpointAddress(at *field.Path, a *corev1.EndpointAddress) {
	p.ip(at.Child("ip"), a.IP, nil)
	if a.Hostname != "" {
		p.label(at.Child("hostname"), a.Hostname)
	}
	if a.NodeName != nil {
		p.subdomain(at.Child("nodeName"), *a.NodeName)
	}
	p.endpointIP(at.Child("ip"), a.IP)
}

// EndpointsWarnings tells of addresses in unusual forms. The controller of endpoints writes none.
func EndpointsWarnings(e *corev1.Endpoints) (all []string) {
	if e.Labels["endpoints.kubernetes.io/managed-by"] == "endpoint-controller" {
		return nil
	}
	for i := range e.Subsets {
		at := field.NewPath("subsets").Index(i)
		for j, a := range e.Subsets[i].Addresses {
			all = append(all, validation.GetWarningsForIP(at.Child("addresses").Index(j).Child("ip"), a.IP)...)
		}
		for j, a := range e.Subsets[i].NotReadyAddresses {
			all = append(all, validation.GetWarningsForIP(at.Child("notReadyAddresses").Index(j).Child("ip"), a.IP)...)
		}
	}
	return all
}
