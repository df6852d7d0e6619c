package rbac

import (
	rbacv1 "k8s.io/api/rbac/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// DefaultRoleBinding fills in the groups of role and subjects.
func DefaultRoleBinding(b *rbacv1.RoleBinding) { defaultGroups(&b.RoleRef, b.Subjects) }

// DefaultClusterRoleBinding fills in the groups of role and subjects.
func DefaultClusterRoleBinding(b *rbacv1.ClusterRoleBinding) { defaultGroups(&b.RoleRef, b.Subjects) }

func defaultGroups(role *rbacv1.RoleRef, subjects []rbacv1.Subject) {
	if role.APIGroup == "" {
		role.APIGroup = rbacv1.GroupName
	}
	for i := range subjects {
		if s := &subjects[i]; s.APIGroup == "" && (s.Kind == rbacv1.UserKind || s.Kind == rbacv1.GroupKind) {
			s.APIGroup = rbacv1.GroupName
		}
	}
}

// ValidateRoleBinding checks role and subjects.
func ValidateRoleBinding(b *rbacv1.RoleBinding) field.ErrorList {
	return append(validateRoleRef(&b.RoleRef, "Role", "ClusterRole"), validateSubjects(b.Subjects, true)...)
}

// ValidateClusterRoleBinding checks role and subjects.
func ValidateClusterRoleBinding(b *rbacv1.ClusterRoleBinding) field.ErrorList {
	return append(validateRoleRef(&b.RoleRef, "ClusterRole"), validateSubjects(b.Subjects, false)...)
}

// ValidateRoleBindingUpdate keeps the role: who may change subjects may not thereby grant another role.
func ValidateRoleBindingUpdate(b, old *rbacv1.RoleBinding) field.ErrorList {
	return append(ValidateRoleBinding(b), keepsRole(b.RoleRef, old.RoleRef)...)
}

// ValidateClusterRoleBindingUpdate keeps the role.
func ValidateClusterRoleBindingUpdate(b, old *rbacv1.ClusterRoleBinding) field.ErrorList {
	return append(ValidateClusterRoleBinding(b), keepsRole(b.RoleRef, old.RoleRef)...)
}

func keepsRole(role, old rbacv1.RoleRef) field.ErrorList {
	return rule.Immutable(role, old, field.NewPath("roleRef"))
}

func validateRoleRef(r *rbacv1.RoleRef, kinds ...string) field.ErrorList {
	at := field.NewPath("roleRef")
	errs := append(rule.OneOf(r.APIGroup, at.Child("apiGroup"), rbacv1.GroupName), rule.OneOf(r.Kind, at.Child("kind"), kinds...)...)
	if r.Name == "" {
		return append(errs, rule.Declared(field.Required(at.Child("name"), ""))...)
	}
	return append(errs, rule.Invalid(at.Child("name"), r.Name, path.IsValidPathSegmentName(r.Name))...)
}

func validateSubjects(subjects []rbacv1.Subject, namespaced bool) (errs field.ErrorList) {
	for i := range subjects {
		errs = append(errs, validateSubject(&subjects[i], namespaced, field.NewPath("subjects").Index(i))...)
	}
	return errs
}

func validateSubject(s *rbacv1.Subject, namespaced bool, at *field.Path) (errs field.ErrorList) {
	if s.Name == "" {
		errs = append(errs, rule.Declared(field.Required(at.Child("name"), ""))...)
	}
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		if s.Name != "" {
			errs = append(errs, rule.Invalid(at.Child("name"), s.Name, apivalidation.ValidateServiceAccountName(s.Name, false))...)
		}
		errs = append(errs, rule.OneOf(s.APIGroup, at.Child("apiGroup"), "")...)
		if !namespaced && s.Namespace == "" {
			errs = append(errs, field.Required(at.Child("namespace"), ""))
		}
	case rbacv1.UserKind, rbacv1.GroupKind:
		errs = append(errs, rule.OneOf(s.APIGroup, at.Child("apiGroup"), rbacv1.GroupName)...)
	default:
		errs = append(errs, field.NotSupported(at.Child("kind"), s.Kind, []string{rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind}))
	}
	return errs
}
