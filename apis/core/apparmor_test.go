package core

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestAppArmorAnnotationsBecomeFields(t *testing.T) {
	const key = corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + "c"
	for annotation, c := range map[string]struct {
		whole, want corev1.AppArmorProfileType
		warns       bool
	}{
		"runtime/default":  {want: corev1.AppArmorProfileTypeRuntimeDefault, warns: true},
		"unconfined":       {want: corev1.AppArmorProfileTypeUnconfined, whole: corev1.AppArmorProfileTypeRuntimeDefault, warns: true},
		"localhost/mine":   {want: corev1.AppArmorProfileTypeLocalhost, warns: true},
		"localhost/":       {warns: true},
		"something/else":   {warns: true},
		"runtime/default ": {warns: true},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}, {Name: "other"}}}}
		pod.Annotations = map[string]string{key: annotation}
		if c.whole != "" {
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{AppArmorProfile: &corev1.AppArmorProfile{Type: c.whole}}
		}
		warnings := SyncAppArmor(pod)
		var got corev1.AppArmorProfileType
		if sc := pod.Spec.Containers[0].SecurityContext; sc != nil {
			got = sc.AppArmorProfile.Type
		}
		if got != c.want || (len(warnings) == 1) != c.warns || pod.Spec.Containers[1].SecurityContext != nil {
			t.Errorf("%s: profile %q, want %q; warnings %q", annotation, got, c.want, warnings)
		}
	}
}

func TestAppArmorOfTheWholePodIsNotRepeated(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}},
		Containers:      []corev1.Container{{Name: "c"}},
	}}
	pod.Annotations = map[string]string{corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + "c": "runtime/default"}
	if warnings := SyncAppArmor(pod); warnings != nil || pod.Spec.Containers[0].SecurityContext != nil {
		t.Errorf("warnings %q, container %+v", warnings, pod.Spec.Containers[0])
	}
}
