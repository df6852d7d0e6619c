package networking

import (
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const maxControllerName = 250

// DefaultIngressClass takes parameters to be of no namespace.
func DefaultIngressClass(c *networkingv1.IngressClass) {
	if p := c.Spec.Parameters; p != nil && p.Scope == nil {
		p.Scope = new(networkingv1.IngressClassParametersReferenceScopeCluster)
	}
}

// ValidateIngressClass checks controller and parameters.
func ValidateIngressClass(c *networkingv1.IngressClass) (errs field.ErrorList) {
	controller := spec.Child("controller")
	if len(c.Spec.Controller) > maxControllerName {
		errs = append(errs, field.TooLong(controller, "", maxControllerName))
	}
	errs = append(errs, validation.IsDomainPrefixedPath(controller, c.Spec.Controller)...)
	if c.Spec.Parameters != nil {
		errs = append(errs, validateParameters(c.Spec.Parameters, spec.Child("parameters"))...)
	}
	return errs
}

// ValidateIngressClassUpdate keeps the controller.
func ValidateIngressClassUpdate(c, old *networkingv1.IngressClass) field.ErrorList {
	return rule.Immutable(c.Spec.Controller, old.Spec.Controller, spec.Child("controller"))
}

func validateParameters(p *networkingv1.IngressClassParametersReference, at *field.Path) (errs field.ErrorList) {
	if p.APIGroup != nil {
		errs = append(errs, rule.DNSSubdomain(*p.APIGroup, at.Child("apiGroup"))...)
	}
	errs = append(errs, rule.RequiredPathSegment(p.Kind, at.Child("kind"))...)
	errs = append(errs, rule.RequiredPathSegment(p.Name, at.Child("name"))...)
	if p.Scope == nil {
		return append(errs, field.Required(at.Child("scope"), ""))
	}
	namespace := at.Child("namespace")
	switch *p.Scope {
	case networkingv1.IngressClassParametersReferenceScopeNamespace:
		if p.Namespace == nil {
			return append(errs, field.Required(namespace, "`parameters.scope` is set to 'Namespace'"))
		}
		return append(errs, rule.DNSLabel(*p.Namespace, namespace)...)
	case networkingv1.IngressClassParametersReferenceScopeCluster:
		if p.Namespace != nil {
			errs = append(errs, field.Forbidden(namespace, "`parameters.scope` is set to 'Cluster'"))
		}
		return errs
	}
	return append(errs, rule.OneOf(*p.Scope, at.Child("scope"), networkingv1.IngressClassParametersReferenceScopeCluster, networkingv1.IngressClassParametersReferenceScopeNamespace)...)
}
