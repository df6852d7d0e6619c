package core

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// QuotaScopes are the conditions that an object must all meet for a quota to apply to it, from both of spec's fields.
func QuotaScopes(quota *corev1.ResourceQuota) []corev1.ScopedResourceSelectorRequirement {
	var all []corev1.ScopedResourceSelectorRequirement
	for _, scope := range quota.Spec.Scopes {
		all = append(all, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists})
	}
	if quota.Spec.ScopeSelector != nil {
		all = append(all, quota.Spec.ScopeSelector.MatchExpressions...)
	}
	return all
}

// PodInScope reports whether a Pod meets a condition; scopes that are not about Pods it never does.
func PodInScope(pod *corev1.Pod, scope corev1.ScopedResourceSelectorRequirement) (bool, error) {
	switch scope.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return hasDeadline(pod), nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return !hasDeadline(pod), nil
	case corev1.ResourceQuotaScopeBestEffort:
		return QOSClass(pod) == corev1.PodQOSBestEffort, nil
	case corev1.ResourceQuotaScopeNotBestEffort:
		return QOSClass(pod) != corev1.PodQOSBestEffort, nil
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return looksElsewhere(pod), nil
	case corev1.ResourceQuotaScopePriorityClass:
		if name := pod.Spec.PriorityClassName; name != "" {
			return selects(scope, name)
		}
		return selects(scope)
	}
	return false, nil
}

// ClaimInScope reports whether a PersistentVolumeClaim meets a condition, likewise.
func ClaimInScope(claim *corev1.PersistentVolumeClaim, scope corev1.ScopedResourceSelectorRequirement) (bool, error) {
	if scope.ScopeName != corev1.ResourceQuotaScopeVolumeAttributesClass {
		return false, nil
	}
	return selects(scope, AttributesClasses(claim)...)
}

// AttributesClasses are all VolumeAttributesClasses that a claim has, had or is getting.
func AttributesClasses(claim *corev1.PersistentVolumeClaim) []string {
	var names []string
	for _, name := range []*string{claim.Spec.VolumeAttributesClassName, claim.Status.CurrentVolumeAttributesClassName} {
		if name != nil && *name != "" {
			names = append(names, *name)
		}
	}
	if modify := claim.Status.ModifyVolumeStatus; modify != nil && modify.TargetVolumeAttributesClassName != "" {
		names = append(names, modify.TargetVolumeAttributesClassName)
	}
	return names
}

// selects reports whether the condition holds for one of the values, or for having none.
func selects(scope corev1.ScopedResourceSelectorRequirement, values ...string) (bool, error) {
	operators := map[corev1.ScopeSelectorOperator]selection.Operator{
		corev1.ScopeSelectorOpIn: selection.In, corev1.ScopeSelectorOpNotIn: selection.NotIn,
		corev1.ScopeSelectorOpExists: selection.Exists, corev1.ScopeSelectorOpDoesNotExist: selection.DoesNotExist,
	}
	operator, known := operators[scope.Operator]
	if !known {
		return false, fmt.Errorf("%q is not a valid scope selector operator", scope.Operator)
	}
	key := string(scope.ScopeName)
	requirement, err := labels.NewRequirement(key, operator, scope.Values)
	if err != nil {
		return false, fmt.Errorf("reading scope %s: %w", key, err)
	}
	if len(values) == 0 {
		return requirement.Matches(labels.Set{}), nil
	}
	for _, value := range values {
		if requirement.Matches(labels.Set{key: value}) {
			return true, nil
		}
	}
	return false, nil
}

func hasDeadline(pod *corev1.Pod) bool {
	return pod.Spec.ActiveDeadlineSeconds != nil && *pod.Spec.ActiveDeadlineSeconds >= 0
}

// looksElsewhere reports whether a Pod's affinity is about Pods of other namespaces.
func looksElsewhere(pod *corev1.Pod) bool {
	if pod.Spec.Affinity == nil {
		return false
	}
	var terms []corev1.PodAffinityTerm
	var weighted []corev1.WeightedPodAffinityTerm
	if a := pod.Spec.Affinity.PodAffinity; a != nil {
		terms = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...)
		weighted = append(weighted, a.PreferredDuringSchedulingIgnoredDuringExecution...)
	}
	if a := pod.Spec.Affinity.PodAntiAffinity; a != nil {
		terms = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...)
		weighted = append(weighted, a.PreferredDuringSchedulingIgnoredDuringExecution...)
	}
	for _, w := range weighted {
		terms = append(terms, w.PodAffinityTerm)
	}
	for _, t := range terms {
		if len(t.Namespaces) > 0 || t.NamespaceSelector != nil {
			return true
		}
	}
	return false
}
