package resourcequota

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/utils/ptr"
)

func list(pairs ...string) corev1.ResourceList {
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return l
}

func pod(cpu string, phase corev1.PodPhase) corev1.Pod {
	return corev1.Pod{
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: list("cpu", cpu)}}}},
		Status: corev1.PodStatus{Phase: phase},
	}
}

func TestDecide(t *testing.T) {
	deadline := pod("2", corev1.PodRunning)
	deadline.Spec.ActiveDeadlineSeconds = ptr.To[int64](1)
	for name, test := range map[string]struct {
		hard   corev1.ResourceList
		scopes []corev1.ResourceQuotaScope
		used   corev1.ResourceList
		c      contents
		want   corev1.ResourceList
	}{
		"nothing there": {hard: list("pods", "5", "requests.cpu", "4"), want: list("pods", "0", "requests.cpu", "0")},
		"running and finished Pods": {
			hard: list("pods", "5", "count/pods", "5", "requests.cpu", "4"),
			c:    contents{pods: []corev1.Pod{pod("1", corev1.PodRunning), pod("500m", corev1.PodPending), pod("3", corev1.PodSucceeded)}},
			want: list("pods", "2", "count/pods", "3", "requests.cpu", "1500m"),
		},
		"only what is in scope": {
			hard: list("pods", "5", "configmaps", "3"), scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating},
			c:    contents{pods: []corev1.Pod{deadline, pod("1", corev1.PodRunning)}, counts: map[corev1.ResourceName]int{"configmaps": 2}},
			want: list("pods", "1", "configmaps", "0"),
		},
		"counted objects": {
			hard: list("configmaps", "3", "count/deployments.apps", "3"),
			c:    contents{counts: map[corev1.ResourceName]int{"configmaps": 2, "count/deployments.apps": 1}},
			want: list("configmaps", "2", "count/deployments.apps", "1"),
		},
		"what cannot be counted stays": {hard: list("count/x.example.com", "3"), used: list("count/x.example.com", "2", "pods", "9"), want: list("count/x.example.com", "2")},
	} {
		t.Run(name, func(t *testing.T) {
			q := &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: test.hard, Scopes: test.scopes}, Status: corev1.ResourceQuotaStatus{Used: test.used}}
			status, err := decide(q, test.c, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if !quota.Equals(status.Used, test.want) || !quota.Equals(status.Hard, test.hard) {
				t.Errorf("used %v of %v, want %v", status.Used, status.Hard, test.want)
			}
		})
	}
}

func TestCounted(t *testing.T) {
	for name, want := range map[corev1.ResourceName]string{
		"pods": "", "count/pods": "", "requests.cpu": "", "services.nodeports": "",
		"configmaps": "configmaps", "count/secrets": "secrets", "count/deployments.apps": "deployments.apps",
	} {
		resource, ok := counted(name)
		if got := resource.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s counts %q, %v; want %q", name, got, ok, want)
		}
	}
}
