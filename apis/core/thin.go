package core

import (
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func PodTemplateWarnings(t, old *corev1.PodTemplateSpec, at *field.Path) []string { return nil }
func DefaultReplicationController(rc *corev1.ReplicationController) {
	if t := rc.Spec.Template; t != nil {
		if t.Labels != nil {
			if len(rc.Spec.Selector) == 0 {
				rc.Spec.Selector = t.Labels
			}
			if len(rc.Labels) == 0 {
				rc.Labels = t.Labels
			}
		}
		DefaultPodTemplate(t)
	}
	setDefaultPtr(&rc.Spec.Replicas, 1)
}
func ValidateReplicationController(rc *corev1.ReplicationController) field.ErrorList { return nil }
func ValidateReplicationControllerStatusUpdate(rc, old *corev1.ReplicationController) field.ErrorList {
	return nil
}
func DefaultEndpoints(e *corev1.Endpoints) {
	for i := range e.Subsets {
		for j := range e.Subsets[i].Ports {
			setDefault(&e.Subsets[i].Ports[j].Protocol, corev1.ProtocolTCP)
		}
	}
}
func ValidateEndpoints(e, old *corev1.Endpoints) field.ErrorList           { return nil }
func EndpointsWarnings(e *corev1.Endpoints) []string                       { return nil }
func ValidateEvent(e, old *corev1.Event, strict bool) field.ErrorList      { return nil }
func PersistentVolumeWarnings(v *corev1.PersistentVolume) []string         { return nil }
func ClaimWarnings(c *corev1.PersistentVolumeClaim) []string               { return nil }
func ValidateNode(n *corev1.Node) field.ErrorList                          { return nil }
func ValidateNodeUpdate(n, old *corev1.Node) field.ErrorList               { return nil }
func NodeWarnings(n *corev1.Node) []string                                 { return nil }
func ValidatePodUpdate(p, old *corev1.Pod) field.ErrorList                 { return nil }
func ValidateEphemeralContainersUpdate(p, old *corev1.Pod) field.ErrorList { return nil }
func ValidatePodResize(p, old *corev1.Pod) field.ErrorList                 { return nil }
func ValidatePodStatusUpdate(p, old *corev1.Pod) field.ErrorList           { return nil }
func PodStatusWarnings(s *corev1.PodStatus) []string                       { return nil }
func PodWarnings(p *corev1.Pod) []string                                   { return nil }

var _ = apiequality.Semantic
var _ = metav1.Now

