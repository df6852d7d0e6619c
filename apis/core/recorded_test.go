package core

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"ConfigMap":        recorded.Of(DefaultConfigMap, ValidateConfigMap, nil),
		"Endpoints":        recorded.Of(DefaultEndpoints, func(e *corev1.Endpoints) field.ErrorList { return ValidateEndpoints(e, nil) }, nil),
		"LimitRange":       recorded.Of(DefaultLimitRange, ValidateLimitRange, nil),
		"Namespace":        recorded.Of(DefaultNamespace, ValidateNamespace, nil),
		"Node":             recorded.Of(DefaultNode, ValidateNode, nil),
		"PersistentVolume": recorded.Of(DefaultPersistentVolume, ValidatePersistentVolume, nil),
		"PersistentVolumeClaim": recorded.Of(func(c *corev1.PersistentVolumeClaim) {
			DefaultClaim(c)
			feature.Drop(nil, GatedClaimSpec(), &c.Spec, nil)
			NormalizeDataSource(&c.Spec, nil)
		}, ValidateClaim, nil),
		"Pod": recorded.Of(func(p *corev1.Pod) {
			DefaultPod(p)
			feature.Drop(nil, GatedPodSpec(), &p.Spec, nil)
			PreparePod(p, metav1.NewTime(time.Unix(0, 0)))
		}, ValidatePod, nil),
		"PodTemplate":           recorded.Of(func(p *corev1.PodTemplate) { DefaultPodTemplate(&p.Template) }, ValidatePodTemplateObject, nil),
		"ReplicationController": recorded.Of(DefaultReplicationController, ValidateReplicationController, nil),
		"ResourceQuota":         recorded.Of(DefaultResourceQuota, ValidateResourceQuota, nil),
		"Secret":                recorded.Of(DefaultSecret, ValidateSecret, nil),
		"Service": recorded.Of(func(s *corev1.Service) {
			DefaultService(s)
			SyncClusterIPs(s, nil)
			if NeedsHealthCheckNodePort(s) && s.Spec.HealthCheckNodePort == 0 {
				s.Spec.HealthCheckNodePort = 30000 // as the allocator does
			}
		}, func(s *corev1.Service) field.ErrorList { return ValidateService(s, nil) }, nil),
		"ServiceAccount": recorded.Of(TrimSecretReferences, func(*corev1.ServiceAccount) field.ErrorList { return nil }, nil),
	})
}
