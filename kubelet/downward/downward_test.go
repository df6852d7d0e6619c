package downward

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestFields(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Name, pod.Namespace, pod.UID = "p", "ns", "u"
	pod.Labels = map[string]string{"b": "2", "a": "say \"hi\"\n"}
	pod.Annotations = map[string]string{"x.y/z": "v"}
	pod.Spec.ServiceAccountName = "sa"
	node := Node{IPs: []string{"1.1.1.1", "fd00::1"}}
	for path, want := range map[string]string{
		"metadata.name": "p", "metadata.namespace": "ns", "metadata.uid": "u", "spec.serviceAccountName": "sa",
		"metadata.labels['b']": "2", "metadata.annotations['x.y/z']": "v", "metadata.labels['none']": "",
		"metadata.labels": "a=\"say \\\"hi\\\"\\n\"\nb=\"2\"", "status.hostIP": "1.1.1.1", "status.hostIPs": "1.1.1.1,fd00::1",
		"status.podIP": "10.0.0.1", "status.podIPs": "10.0.0.1",
	} {
		if got, err := Field(pod, node, []string{"10.0.0.1"}, path); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	for _, bad := range []string{"", "spec.containers", "metadata.finalizers['a']"} {
		if got, err := Field(pod, node, nil, bad); err == nil {
			t.Errorf("%q is %q", bad, got)
		}
	}
}

func TestResources(t *testing.T) {
	q := resource.MustParse
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": q("250m"), "memory": q("32Mi")}, Limits: corev1.ResourceList{"cpu": q("1250m")},
	}}}}}
	allocatable := corev1.ResourceList{"cpu": q("4"), "memory": q("1Gi")}
	for _, tt := range []struct{ resource, divisor, want string }{
		{"requests.cpu", "0", "1"}, {"requests.cpu", "1m", "250"}, {"limits.cpu", "1", "2"}, {"requests.memory", "1Mi", "32"},
		{"limits.memory", "1Mi", "1024"}, {"requests.ephemeral-storage", "0", "0"},
	} {
		ref := &corev1.ResourceFieldSelector{Resource: tt.resource, Divisor: q(tt.divisor)}
		if got, err := Resource(pod, "c", ref, allocatable); err != nil || got != tt.want {
			t.Errorf("%s/%s: got %q, %v, want %q", tt.resource, tt.divisor, got, err, tt.want)
		}
	}
	pod.Spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": q("3"), "memory": q("64Mi")}}
	for name, want := range map[string]string{"limits.cpu": "2", "limits.memory": "67108864"} {
		if got, err := Resource(pod, "c", &corev1.ResourceFieldSelector{Resource: name}, allocatable); err != nil || got != want {
			t.Errorf("%s beside the pod's own: got %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := Resource(pod, "none", &corev1.ResourceFieldSelector{Resource: "limits.cpu"}, nil); err == nil {
		t.Error("a container that is not there has limits")
	}
}
