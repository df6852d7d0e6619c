package policy

import (
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
)

// protected reports whether an administrator took an object out of our hands.
func protected(stored metav1.Object) bool {
	return stored.GetAnnotations()[rbacv1.AutoUpdateAnnotationKey] == "false"
}

// mergeMeta adds missing labels and annotations, and reports whether there were any. Changed ones are left alone.
func mergeMeta(into, wanted *metav1.ObjectMeta) bool {
	labels, l := union(into.Labels, wanted.Labels)
	annotations, a := union(into.Annotations, wanted.Annotations)
	into.Labels, into.Annotations = labels, annotations
	return l || a
}

func union(have, wanted map[string]string) (map[string]string, bool) {
	merged := maps.Clone(wanted)
	maps.Copy(merged, have)
	return merged, len(merged) != len(have)
}

// mergeRules appends rules that are not covered; it never takes any away.
func mergeRules(have, wanted []rbacv1.PolicyRule) ([]rbacv1.PolicyRule, bool) {
	covered, missing := validation.Covers(have, wanted)
	if covered {
		return have, false
	}
	return append(slices.Clip(have), missing...), true
}

func mergeSubjects(have, wanted []rbacv1.Subject) ([]rbacv1.Subject, bool) {
	merged := slices.Clip(have)
	for _, s := range wanted {
		if !slices.Contains(merged, s) {
			merged = append(merged, s)
		}
	}
	return merged, len(merged) != len(have)
}

// The merge functions change a copy of the stored object and report whether it differs from the wanted one.

func mergeClusterRole(stored, wanted *rbacv1.ClusterRole) bool {
	m := mergeMeta(&stored.ObjectMeta, &wanted.ObjectMeta)
	rules, r := mergeRules(stored.Rules, wanted.Rules)
	stored.Rules = rules
	if wanted.AggregationRule != nil && stored.AggregationRule == nil {
		stored.AggregationRule, r = wanted.AggregationRule, true
	}
	return m || r
}

func mergeRole(stored, wanted *rbacv1.Role) bool {
	m := mergeMeta(&stored.ObjectMeta, &wanted.ObjectMeta)
	rules, r := mergeRules(stored.Rules, wanted.Rules)
	stored.Rules = rules
	return m || r
}

func mergeClusterRoleBinding(stored, wanted *rbacv1.ClusterRoleBinding) bool {
	m := mergeMeta(&stored.ObjectMeta, &wanted.ObjectMeta)
	subjects, s := mergeSubjects(stored.Subjects, wanted.Subjects)
	stored.Subjects = subjects
	return m || s
}

func mergeRoleBinding(stored, wanted *rbacv1.RoleBinding) bool {
	m := mergeMeta(&stored.ObjectMeta, &wanted.ObjectMeta)
	subjects, s := mergeSubjects(stored.Subjects, wanted.Subjects)
	stored.Subjects = subjects
	return m || s
}
