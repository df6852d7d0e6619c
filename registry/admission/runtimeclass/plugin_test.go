package runtimeclass

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func overhead(cpu string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
}

func TestApply(t *testing.T) {
	class := &nodev1.RuntimeClass{
		Overhead: &nodev1.Overhead{PodFixed: overhead("100m")},
		Scheduling: &nodev1.Scheduling{NodeSelector: map[string]string{"runtime": "vm"}, Tolerations: []corev1.Toleration{
			{Key: "vm", Operator: corev1.TolerationOpExists}, {Key: "a", Operator: corev1.TolerationOpExists}}},
	}
	for name, test := range map[string]struct {
		spec    corev1.PodSpec
		refused bool
		keys    int // tolerations
	}{
		"empty":               {keys: 2},
		"with equal overhead": {spec: corev1.PodSpec{Overhead: overhead("0.1")}, keys: 2},
		"with other overhead": {spec: corev1.PodSpec{Overhead: overhead("1")}, refused: true},
		"with the selector":   {spec: corev1.PodSpec{NodeSelector: map[string]string{"runtime": "vm"}}, keys: 2},
		"with a conflict":     {spec: corev1.PodSpec{NodeSelector: map[string]string{"runtime": "c"}}, refused: true},
		"with a narrower one": {spec: corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: "vm", Operator: corev1.TolerationOpEqual, Value: "x"}}}, keys: 2},
		"with one for all":    {spec: corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}}, keys: 1},
		"with one more":       {spec: corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: "own", Operator: corev1.TolerationOpExists}}}, keys: 3},
	} {
		pod := &corev1.Pod{Spec: test.spec}
		if err := apply(pod, class); (err != nil) != test.refused {
			t.Errorf("%s: %v", name, err)
		}
		if test.refused {
			continue
		}
		if pod.Spec.NodeSelector["runtime"] != "vm" || len(pod.Spec.Tolerations) != test.keys || check(pod, class) != nil {
			t.Errorf("%s: %+v", name, pod.Spec)
		}
	}
}

func TestOverheadNeedsItsClass(t *testing.T) {
	if err := check(&corev1.Pod{Spec: corev1.PodSpec{Overhead: overhead("1")}}, nil); err == nil {
		t.Error("a pod sets its own overhead")
	}
	if err := check(&corev1.Pod{}, nil); err != nil {
		t.Error(err)
	}
}
