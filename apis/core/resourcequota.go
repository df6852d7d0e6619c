package core

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultResourceQuota rounds what the API cannot express.
func DefaultResourceQuota(q *corev1.ResourceQuota) {
	roundUp(q.Spec.Hard)
	roundUp(q.Status.Hard)
	roundUp(q.Status.Used)
}

// ValidateResourceQuota checks resources and scopes.
func ValidateResourceQuota(q *corev1.ResourceQuota) field.ErrorList {
	var p problems
	at := field.NewPath("spec")
	p.quotaResources(at.Child("hard"), q.Spec.Hard)
	p.scopes(at.Child("scopes"), &q.Spec)
	p.scopeSelector(at.Child("scopeSelector", "matchExpressions"), &q.Spec)
	return p.list
}

func (p *problems) quotaResources(at *field.Path, list corev1.ResourceList) {
	for name, q := range list {
		at := at.Key(string(name))
		p.resourceName(at, name)
		if !hasDomain(string(name)) && !isQuotaResource(name) {
			p.invalid(at, name, "must be a standard resource for quota")
		}
		p.quantity(at, name, q)
	}
}

// isQuotaResource reports whether quotas count the resource by that name.
func isQuotaResource(name corev1.ResourceName) bool {
	return name != corev1.ResourceStorage && (slices.Contains(containerResources, name) || slices.Contains(countedResources, name)) || IsHugePages(name) || isQuotaHugePages(name)
}

var quotaScopes = []corev1.ResourceQuotaScope{
	corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort,
	corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeCrossNamespacePodAffinity, corev1.ResourceQuotaScopeVolumeAttributesClass,
}

// fitsScope reports whether objects in the scope have anything of the resource.
func fitsScope(scope corev1.ResourceQuotaScope, name corev1.ResourceName) bool {
	switch scope {
	case corev1.ResourceQuotaScopeBestEffort:
		return name == corev1.ResourcePods
	case corev1.ResourceQuotaScopeVolumeAttributesClass:
		return name == corev1.ResourcePersistentVolumeClaims || name == corev1.ResourceRequestsStorage
	case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeNotBestEffort,
		corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return slices.Contains([]corev1.ResourceName{
			corev1.ResourcePods, corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory,
			corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
		}, name)
	}
	return true
}

func (p *problems) scope(at, nameAt *field.Path, scope corev1.ResourceQuotaScope, s *corev1.ResourceQuotaSpec, shown, nameShown any) {
	if !slices.Contains(quotaScopes, scope) {
		p.invalid(nameAt, nameShown, "unsupported scope")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Hard)) {
		if isQuotaResource(name) && !fitsScope(scope, name) {
			p.invalid(at, shown, "unsupported scope applied to resource")
		}
	}
}

func (p *problems) scopes(at *field.Path, s *corev1.ResourceQuotaSpec) {
	for _, scope := range s.Scopes {
		p.scope(at, at, scope, s, s.Scopes, s.Scopes)
	}
	p.contradictions(at, s.Scopes, s)
}

func (p *problems) contradictions(at *field.Path, all []corev1.ResourceQuotaScope, s *corev1.ResourceQuotaSpec) {
	for _, pair := range [][2]corev1.ResourceQuotaScope{
		{corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort},
		{corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating},
	} {
		if slices.Contains(all, pair[0]) && slices.Contains(all, pair[1]) {
			p.invalid(at, s.Scopes, "conflicting scopes")
		}
	}
}

func (p *problems) scopeSelector(at *field.Path, s *corev1.ResourceQuotaSpec) {
	if s.ScopeSelector == nil {
		return
	}
	var all []corev1.ResourceQuotaScope
	for _, r := range s.ScopeSelector.MatchExpressions {
		all = append(all, r.ScopeName)
		p.scope(at, at.Child("scopeName"), r.ScopeName, s, shownSelector(s.ScopeSelector), r.ScopeName)
		switch r.ScopeName {
		case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort, corev1.ResourceQuotaScopeTerminating,
			corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
			if r.Operator != corev1.ScopeSelectorOpExists {
				p.invalid(at.Child("operator"), r.Operator, "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity")
			}
		}
		switch r.Operator {
		case corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn:
			if len(r.Values) == 0 {
				p.required(at.Child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")
			}
		case corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				p.invalid(at.Child("values"), r.Values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")
			}
		default:
			p.invalid(at.Child("operator"), r.Operator, "not a valid selector operator")
		}
	}
	p.contradictions(at, all, s)
}

// shownSelector is the selector as errors have always shown it: with the names of Go's fields.
func shownSelector(s *corev1.ScopeSelector) any {
	type requirement struct {
		ScopeName corev1.ResourceQuotaScope
		Operator  corev1.ScopeSelectorOperator
		Values    []string
	}
	var shown struct{ MatchExpressions []requirement }
	for _, r := range s.MatchExpressions {
		shown.MatchExpressions = append(shown.MatchExpressions, requirement(r))
	}
	return shown
}

// ValidateResourceQuotaUpdate checks a changed quota, and protects its scopes.
func ValidateResourceQuotaUpdate(q, old *corev1.ResourceQuota) field.ErrorList {
	is, was := slices.Sorted(slices.Values(q.Spec.Scopes)), slices.Sorted(slices.Values(old.Spec.Scopes))
	errs := ValidateResourceQuota(q)
	if slices.Equal(slices.Compact(is), slices.Compact(was)) {
		return errs
	}
	return append(errs, field.Invalid(field.NewPath("spec", "scopes"), q.Spec.Scopes, "field is immutable"))
}

// ValidateResourceQuotaStatusUpdate checks what the controller reports.
func ValidateResourceQuotaStatusUpdate(q, _ *corev1.ResourceQuota) field.ErrorList {
	var p problems
	p.quotaResources(field.NewPath("status", "hard"), q.Status.Hard)
	p.quotaResources(field.NewPath("status", "used"), q.Status.Used)
	return p.list
}
