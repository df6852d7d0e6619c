package podresize

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func list(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

func TestCheck(t *testing.T) {
	node := func(os string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{corev1.LabelOSStable: os}}, Status: corev1.NodeStatus{Allocatable: list("2", "2Gi")}}
	}
	for name, test := range map[string]struct {
		node  *corev1.Node
		wants corev1.ResourceList
		cause metav1.CauseType
		text  string
	}{
		"all of it":      {node("linux"), list("2", "2Gi"), "", ""},
		"more CPU":       {node("linux"), list("3", "1Gi"), nodeCapacity, "node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000"},
		"more memory":    {node("linux"), list("1", "3Gi"), nodeCapacity, "node didn't have enough allocatable resources: memory, requested: 3221225472, allocatable: 2147483648"},
		"another system": {node("windows"), list("1", "1Gi"), unsupportedPlatform, `pod resize is only supported on linux nodes, node "n" is "windows"`},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: test.wants}}}}}
		cause, err := check(pod, test.node)
		if cause != test.cause || (err == nil) != (test.text == "") || err != nil && err.Error() != test.text {
			t.Errorf("%s: %s, %v", name, cause, err)
		}
	}
}
