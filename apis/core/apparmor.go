package core

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// SyncAppArmor gives containers of a new pod the AppArmor profiles that the annotations of former days ask for, and returns
// warnings of their use. A field that is set stands: validation compares the two.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/24-apparmor#version-skew-strategy
func SyncAppArmor(pod *corev1.Pod) (warnings []string) {
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows || len(pod.Annotations) == 0 {
		return nil
	}
	Containers(&pod.Spec, func(c *corev1.Container) bool {
		key := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + c.Name
		annotation, annotated := pod.Annotations[key]
		if !annotated || c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil {
			return true
		}
		profile := annotatedProfile(annotation)
		if sameProfile(profile, pod.Spec.SecurityContext) {
			return true
		}
		if profile != nil {
			if c.SecurityContext == nil {
				c.SecurityContext = &corev1.SecurityContext{}
			}
			c.SecurityContext.AppArmorProfile = profile
		}
		at := field.NewPath("metadata", "annotations").Key(key)
		warnings = append(warnings, fmt.Sprintf(`%s: deprecated since v1.30; use the "appArmorProfile" field instead`, at))
		return true
	})
	return warnings
}

// sameProfile reports whether the profile is the whole pod's.
func sameProfile(profile *corev1.AppArmorProfile, whole *corev1.PodSecurityContext) bool {
	return profile != nil && whole != nil && apiequality.Semantic.DeepEqual(profile, whole.AppArmorProfile)
}

// annotatedProfile is the profile that an annotation asks for, nil where it is none that the field could hold.
func annotatedProfile(annotation string) *corev1.AppArmorProfile {
	switch name, local := strings.CutPrefix(annotation, corev1.DeprecatedAppArmorBetaProfileNamePrefix); {
	case annotation == corev1.DeprecatedAppArmorBetaProfileNameUnconfined:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	case annotation == corev1.DeprecatedAppArmorBetaProfileRuntimeDefault:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	case local:
		var p problems
		profile := &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &name}
		if p.appArmor(nil, profile); len(p.list) == 0 {
			return profile
		}
	}
	return nil
}
