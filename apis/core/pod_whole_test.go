package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func amounts(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

func TestPodsAsAWholeHaveWhatTheirContainersDo(t *testing.T) {
	limited := func(cpu string) corev1.Container {
		return corev1.Container{Name: "c" + cpu, Resources: corev1.ResourceRequirements{Limits: amounts("cpu", cpu, "memory", "1Gi")}}
	}
	for name, c := range map[string]struct {
		whole            *corev1.ResourceRequirements
		containers       []corev1.Container
		requests, limits map[string]string
	}{
		"nothing said":  {nil, []corev1.Container{limited("1")}, nil, nil},
		"nothing asked": {&corev1.ResourceRequirements{}, []corev1.Container{limited("1")}, map[string]string{}, map[string]string{}},
		"limits of all": {
			&corev1.ResourceRequirements{Requests: amounts("cpu", "1")}, []corev1.Container{limited("1"), limited("2")},
			map[string]string{"cpu": "1", "memory": "2Gi"}, map[string]string{"cpu": "3", "memory": "2Gi"},
		},
		"no less than requested": {
			&corev1.ResourceRequirements{Requests: amounts("cpu", "4")}, []corev1.Container{limited("1")},
			map[string]string{"cpu": "4", "memory": "1Gi"}, map[string]string{"cpu": "4", "memory": "1Gi"},
		},
		"not all are limited": {
			&corev1.ResourceRequirements{Requests: amounts("cpu", "1")}, []corev1.Container{limited("1"), {Name: "free"}},
			map[string]string{"cpu": "1", "memory": "1Gi"}, map[string]string{},
		},
		"requests by limits": {
			&corev1.ResourceRequirements{Limits: amounts("cpu", "2")}, []corev1.Container{{Name: "free"}},
			map[string]string{"cpu": "2"}, map[string]string{"cpu": "2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{Spec: corev1.PodSpec{Resources: c.whole, Containers: c.containers}}
			DefaultPod(p)
			before := c.whole.DeepCopy()
			if diff := cmp.Diff(before, p.Spec.Resources); diff != "" {
				t.Errorf("filled in before all containers are there (-want +got):\n%s", diff)
			}
			PreparePod(p, metav1.Time{})
			if c.whole == nil {
				if p.Spec.Resources != nil {
					t.Errorf("got %v", p.Spec.Resources)
				}
				return
			}
			for what, lists := range map[string]struct {
				want map[string]string
				got  corev1.ResourceList
			}{"requests": {c.requests, p.Spec.Resources.Requests}, "limits": {c.limits, p.Spec.Resources.Limits}} {
				got := map[string]string{}
				for name, q := range lists.got {
					got[string(name)] = q.String()
				}
				if diff := cmp.Diff(lists.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

func TestClientsThatDoNotKnowAFieldDoNotClearIt(t *testing.T) {
	old := &corev1.Pod{Spec: corev1.PodSpec{Resources: &corev1.ResourceRequirements{Limits: amounts("cpu", "1")}}}
	old.Status.ResourceClaimStatuses = []corev1.PodResourceClaimStatus{{Name: "c"}}
	old.Status.ExtendedResourceClaimStatus = &corev1.PodExtendedResourceClaimStatus{ResourceClaimName: "x"}
	p := &corev1.Pod{}
	KeepPodResources(p, old)
	KeepClaimStatuses(&p.Status, &old.Status)
	if diff := cmp.Diff(old, p); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	p.Status.ResourceClaimStatuses = []corev1.PodResourceClaimStatus{}
	KeepClaimStatuses(&p.Status, &old.Status)
	if len(p.Status.ResourceClaimStatuses) > 0 {
		t.Error("an empty list does not clear it")
	}
}
