package networking

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// IngressClassAnnotation named the class before there was a field for it.
const IngressClassAnnotation = "kubernetes.io/ingress.class"

// tolerated are mistakes that an update may keep, because the stored object was accepted with them.
type tolerated struct{ secretNames, wildcardRules bool }

// ValidateIngress checks a new ingress. https://kubernetes.io/docs/concepts/services-networking/ingress/
func ValidateIngress(i *networkingv1.Ingress) field.ErrorList {
	errs := validateIngress(&i.Spec, tolerated{})
	class, ok := i.Annotations[IngressClassAnnotation]
	if ok && i.Spec.IngressClassName != nil && class != *i.Spec.IngressClassName {
		errs = append(errs, field.Invalid(field.NewPath("annotations").Child(IngressClassAnnotation), class, "must match `ingressClassName` when both are specified"))
	}
	return errs
}

// ValidateIngressUpdate checks a changed ingress.
func ValidateIngressUpdate(i, old *networkingv1.Ingress) field.ErrorList {
	return validateIngress(&i.Spec, tolerated{
		secretNames: slices.ContainsFunc(old.Spec.TLS, func(t networkingv1.IngressTLS) bool {
			return len(validateSecretName(t.SecretName, nil)) > 0
		}),
		wildcardRules: slices.ContainsFunc(old.Spec.Rules, func(r networkingv1.IngressRule) bool {
			return strings.Contains(r.Host, "*") && len(validatePaths(r.HTTP, nil)) > 0
		}),
	})
}

func validateIngress(s *networkingv1.IngressSpec, may tolerated) (errs field.ErrorList) {
	if len(s.Rules) == 0 && s.DefaultBackend == nil {
		errs = append(errs, field.Invalid(spec, s.Rules, "either `defaultBackend` or `rules` must be specified"))
	}
	if s.DefaultBackend != nil {
		errs = append(errs, validateBackend(s.DefaultBackend, spec.Child("defaultBackend"))...)
	}
	for i := range s.Rules {
		r, at := &s.Rules[i], spec.Child("rules").Index(i)
		errs = append(errs, validateHost(r.Host, at.Child("host"))...)
		if !may.wildcardRules || !strings.Contains(r.Host, "*") {
			errs = append(errs, validatePaths(r.HTTP, at.Child("http"))...)
		}
	}
	for i := range s.TLS {
		t, at := &s.TLS[i], spec.Child("tls").Index(i)
		for j, host := range t.Hosts {
			errs = append(errs, validateDomain(host, at.Child("hosts").Index(j))...)
		}
		if !may.secretNames {
			errs = append(errs, validateSecretName(t.SecretName, at.Child("secretName"))...)
		}
	}
	if s.IngressClassName != nil {
		errs = append(errs, rule.DNSSubdomain(*s.IngressClassName, spec.Child("ingressClassName"))...)
	}
	return errs
}

func validateSecretName(name string, at *field.Path) field.ErrorList {
	if name == "" {
		return nil
	}
	return rule.DNSSubdomain(name, at)
}

func validateHost(host string, at *field.Path) (errs field.ErrorList) {
	if host == "" {
		return nil
	}
	if netutils.ParseIPSloppy(host) != nil {
		errs = append(errs, field.Invalid(at, host, "must be a DNS name, not an IP address"))
	}
	return append(errs, validateDomain(host, at)...)
}

func validateDomain(host string, at *field.Path) field.ErrorList {
	if strings.Contains(host, "*") {
		return rule.Invalid(at, host, validation.IsWildcardDNS1123Subdomain(host))
	}
	return rule.DNSSubdomain(host, at)
}

func validatePaths(http *networkingv1.HTTPIngressRuleValue, at *field.Path) (errs field.ErrorList) {
	if http == nil {
		return nil
	}
	if len(http.Paths) == 0 {
		errs = append(errs, field.Required(at.Child("paths"), ""))
	}
	for i := range http.Paths {
		p, at := &http.Paths[i], at.Child("paths").Index(i)
		if p.PathType == nil {
			errs = append(errs, field.Required(at.Child("pathType"), "pathType must be specified"))
			continue
		}
		errs = append(errs, validateURLPath(p, at)...)
		errs = append(errs, validateBackend(&p.Backend, at.Child("backend"))...)
	}
	return errs
}

func validateURLPath(p *networkingv1.HTTPIngressPath, at *field.Path) (errs field.ErrorList) {
	path, absolute := at.Child("path"), strings.HasPrefix(p.Path, "/")
	switch *p.PathType {
	case networkingv1.PathTypeExact, networkingv1.PathTypePrefix:
		if !absolute {
			errs = append(errs, field.Invalid(path, p.Path, "must be an absolute path"))
		}
		for _, sequence := range []string{"//", "/./", "/../", "%2f", "%2F"} {
			if strings.Contains(p.Path, sequence) {
				errs = append(errs, field.Invalid(path, p.Path, fmt.Sprintf("must not contain '%s'", sequence)))
			}
		}
		for _, suffix := range []string{"/..", "/."} {
			if strings.HasSuffix(p.Path, suffix) {
				errs = append(errs, field.Invalid(path, p.Path, fmt.Sprintf("cannot end with '%s'", suffix)))
			}
		}
	case networkingv1.PathTypeImplementationSpecific:
		if p.Path != "" && !absolute {
			errs = append(errs, field.Invalid(path, p.Path, "must be an absolute path"))
		}
	default:
		errs = rule.OneOf(*p.PathType, at.Child("pathType"), networkingv1.PathTypeExact, networkingv1.PathTypeImplementationSpecific, networkingv1.PathTypePrefix)
	}
	return errs
}

func validateBackend(b *networkingv1.IngressBackend, at *field.Path) field.ErrorList {
	switch {
	case b.Resource != nil && b.Service != nil:
		return field.ErrorList{field.Invalid(at, "", "cannot set both resource and service backends")}
	case b.Resource != nil:
		return validateResource(b.Resource, at.Child("resource"))
	case b.Service != nil:
		return validateService(b.Service, at)
	}
	return field.ErrorList{field.Invalid(at, "", "resource or service backend is required")}
}

func validateService(s *networkingv1.IngressServiceBackend, at *field.Path) (errs field.ErrorList) {
	service := at.Child("service")
	if s.Name == "" {
		errs = append(errs, field.Required(service.Child("name"), ""))
	} else {
		errs = append(errs, rule.Invalid(service.Child("name"), s.Name, apivalidation.NameIsDNSLabel(s.Name, false))...)
	}
	switch port := service.Child("port"); {
	case s.Port.Name != "" && s.Port.Number != 0:
		return append(errs, field.Invalid(at, "", "cannot set both port name & port number"))
	case s.Port.Name != "":
		return append(errs, rule.Invalid(port.Child("name"), s.Port.Name, validation.IsValidPortName(s.Port.Name))...)
	case s.Port.Number != 0:
		return append(errs, rule.Invalid(port.Child("number"), s.Port.Number, validation.IsValidPortNum(int(s.Port.Number)))...)
	}
	return append(errs, field.Required(at, "port name or number is required"))
}

func validateResource(r *corev1.TypedLocalObjectReference, at *field.Path) (errs field.ErrorList) {
	if r.APIGroup != nil {
		errs = append(errs, rule.DNSSubdomain(*r.APIGroup, at.Child("apiGroup"))...)
	}
	errs = append(errs, rule.RequiredPathSegment(r.Kind, at.Child("kind"))...)
	return append(errs, rule.RequiredPathSegment(r.Name, at.Child("name"))...)
}

// ValidateIngressStatus checks addresses. Those that were there before may be of a form no longer allowed.
func ValidateIngressStatus(i, old *networkingv1.Ingress) (errs field.ErrorList) {
	var before []string
	for _, in := range old.Status.LoadBalancer.Ingress {
		before = append(before, in.IP)
	}
	for j, in := range i.Status.LoadBalancer.Ingress {
		at := field.NewPath("status", "loadBalancer", "ingress").Index(j)
		if in.IP != "" {
			errs = append(errs, validation.IsValidIPForLegacyField(at.Child("ip"), in.IP, true, before)...)
		}
		if in.Hostname != "" {
			errs = append(errs, rule.DNSSubdomain(in.Hostname, at.Child("hostname"))...)
			if netutils.ParseIPSloppy(in.Hostname) != nil {
				errs = append(errs, field.Invalid(at.Child("hostname"), in.Hostname, "must be a DNS name, not an IP address"))
			}
		}
	}
	return errs
}
