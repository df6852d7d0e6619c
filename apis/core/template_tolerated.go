package core

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// sysAdminUnescalated is the message about containers that may not escalate, and can all the same.
const sysAdminUnescalated = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"

// TolerateTemplate is what updates of objects with a template of pods tolerate: what older versions stored. Of such a template no
// pod can be made, but its object can be updated all the same.
func TolerateTemplate[T any](template func(T) *corev1.PodTemplateSpec) func(errs field.ErrorList, old T) field.ErrorList {
	return func(errs field.ErrorList, old T) field.ErrorList {
		s := &template(old).Spec
		images, admins := hasEmptyImage(s), hasUnescalatedAdmin(s)
		return slices.DeleteFunc(errs, func(err *field.Error) bool {
			return images && err.Type == field.ErrorTypeRequired && strings.HasSuffix(err.Field, ".image.reference") ||
				admins && err.Type == field.ErrorTypeInvalid && err.Detail == sysAdminUnescalated
		})
	}
}

func hasEmptyImage(s *corev1.PodSpec) bool {
	return slices.ContainsFunc(s.Volumes, func(v corev1.Volume) bool { return v.Image != nil && v.Image.Reference == "" })
}

func hasUnescalatedAdmin(s *corev1.PodSpec) (has bool) {
	p := podProblems{spec: s}
	p.eachContainer(nil, func(_ *field.Path, c *corev1.Container) {
		sc := c.SecurityContext
		has = has || sc != nil && !isTrue(sc.AllowPrivilegeEscalation) && sc.Capabilities != nil && slices.Contains(sc.Capabilities.Add, "CAP_SYS_ADMIN")
	})
	return has
}
