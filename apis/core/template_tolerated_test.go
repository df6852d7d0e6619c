package core

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTemplatesOfOlderVersionsAreTolerated(t *testing.T) {
	empty := &corev1.PodTemplate{Template: corev1.PodTemplateSpec{Spec: newPod(func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}}}
	}).Spec}}
	DefaultPodTemplate(&empty.Template)
	errs := ValidatePodTemplateObject(empty)
	expect(t, errs, "FieldValueRequired template.spec.volumes[0].image.reference")
	tolerate := TolerateTemplate(func(t *corev1.PodTemplate) *corev1.PodTemplateSpec { return &t.Template })
	expect(t, tolerate(errs, &corev1.PodTemplate{}), "FieldValueRequired template.spec.volumes[0].image.reference")
	expect(t, tolerate(errs, empty))
}
