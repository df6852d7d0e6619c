package core

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func quantities(list corev1.ResourceList) map[string]string {
	text := map[string]string{}
	for name, q := range list {
		text[string(name)] = q.String()
	}
	return text
}

func resources(pairs ...string) corev1.ResourceList {
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return l
}

func TestPodUsage(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	running := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: resources("cpu", "3")}}},
		Containers: []corev1.Container{
			{Resources: corev1.ResourceRequirements{Requests: resources("cpu", "1", "hugepages-2Mi", "4Mi", "example.com/gpu", "2"), Limits: resources("memory", "1Gi")}},
			{Resources: corev1.ResourceRequirements{Requests: resources("cpu", "1", "ephemeral-storage", "1Gi")}},
		},
	}}
	finished := running.DeepCopy()
	finished.Status.Phase = corev1.PodSucceeded
	overdue := running.DeepCopy()
	overdue.DeletionTimestamp, overdue.DeletionGracePeriodSeconds = &metav1.Time{Time: now.Add(-time.Minute)}, new(int64(30))
	leaving := overdue.DeepCopy()
	leaving.DeletionGracePeriodSeconds = new(int64(90))
	all := map[string]string{
		"pods": "1", "count/pods": "1", "cpu": "3", "requests.cpu": "3", "limits.memory": "1Gi", "hugepages-2Mi": "4Mi", "requests.hugepages-2Mi": "4Mi",
		"requests.example.com/gpu": "2", "ephemeral-storage": "1Gi", "requests.ephemeral-storage": "1Gi",
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want map[string]string
	}{
		"running": {running, all}, "leaving": {leaving, all},
		"finished": {finished, map[string]string{"count/pods": "1"}}, "overdue": {overdue, map[string]string{"count/pods": "1"}},
	} {
		got := PodUsage(test.pod, now)
		if diff := cmp.Diff(test.want, quantities(got)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		for resource := range got {
			if !IsPodQuota(resource) {
				t.Errorf("%s: %s is used but no quota of pods", name, resource)
			}
		}
	}
}

func TestServiceUsage(t *testing.T) {
	ports := []corev1.ServicePort{{Port: 1}, {Port: 2, NodePort: 30000}}
	for name, test := range map[string]struct {
		spec                 corev1.ServiceSpec
		nodePorts, balancers string
	}{
		"cluster IP":                  {corev1.ServiceSpec{Ports: ports}, "0", "0"},
		"node port":                   {corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: ports}, "2", "0"},
		"balancer":                    {corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: ports}, "2", "1"},
		"balancer without node ports": {corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: ports, AllocateLoadBalancerNodePorts: new(false)}, "1", "1"},
	} {
		want := map[string]string{"count/services": "1", "services": "1", "services.nodeports": test.nodePorts, "services.loadbalancers": test.balancers}
		if diff := cmp.Diff(want, quantities(ServiceUsage(&corev1.Service{Spec: test.spec}))); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestClaimUsage(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{}
	claim.Spec.StorageClassName = new("gold")
	claim.Spec.Resources.Requests = resources("storage", "1Gi")
	claim.Status.AllocatedResources = resources("storage", "2Gi")
	want := map[string]string{
		"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "2Gi",
		"gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1", "gold.storageclass.storage.k8s.io/requests.storage": "2Gi",
	}
	got := ClaimUsage(claim)
	if diff := cmp.Diff(want, quantities(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for resource := range got {
		if !IsClaimQuota(resource) {
			t.Errorf("%s is used but no quota of claims", resource)
		}
	}
}

func TestForeignNamesAreNoPodQuota(t *testing.T) {
	for _, name := range []corev1.ResourceName{"services", "count/secrets", "example.com/gpu", "requests.storage", "requests.kubernetes.io/x"} {
		if IsPodQuota(name) {
			t.Errorf("%s is a quota of pods", name)
		}
	}
}

func TestPodInScope(t *testing.T) {
	exists := func(scope corev1.ResourceQuotaScope) corev1.ScopedResourceSelectorRequirement {
		return corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}
	}
	class := func(operator corev1.ScopeSelectorOperator, values ...string) corev1.ScopedResourceSelectorRequirement {
		return corev1.ScopedResourceSelectorRequirement{ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: operator, Values: values}
	}
	plain := &corev1.Pod{}
	high := &corev1.Pod{Spec: corev1.PodSpec{PriorityClassName: "high", ActiveDeadlineSeconds: new(int64(1)), Containers: []corev1.Container{
		{Resources: corev1.ResourceRequirements{Requests: resources("cpu", "1")}}},
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
			{PodAffinityTerm: corev1.PodAffinityTerm{Namespaces: []string{"other"}}}}}}}}
	for name, test := range map[string]struct {
		scope       corev1.ScopedResourceSelectorRequirement
		plain, high bool
	}{
		"terminating":     {exists(corev1.ResourceQuotaScopeTerminating), false, true},
		"not terminating": {exists(corev1.ResourceQuotaScopeNotTerminating), true, false},
		"best effort":     {exists(corev1.ResourceQuotaScopeBestEffort), true, false},
		"not best effort": {exists(corev1.ResourceQuotaScopeNotBestEffort), false, true},
		"elsewhere":       {exists(corev1.ResourceQuotaScopeCrossNamespacePodAffinity), false, true},
		"a class":         {class(corev1.ScopeSelectorOpExists), false, true},
		"no class":        {class(corev1.ScopeSelectorOpDoesNotExist), true, false},
		"this class":      {class(corev1.ScopeSelectorOpIn, "high"), false, true},
		"another class":   {class(corev1.ScopeSelectorOpIn, "low"), false, false},
		"not this class":  {class(corev1.ScopeSelectorOpNotIn, "high"), true, false},
		"of claims":       {exists(corev1.ResourceQuotaScopeVolumeAttributesClass), false, false},
	} {
		for _, p := range []struct {
			pod  *corev1.Pod
			want bool
		}{{plain, test.plain}, {high, test.high}} {
			if got, err := PodInScope(p.pod, test.scope); got != p.want || err != nil {
				t.Errorf("%s, class %q: %v, %v", name, p.pod.Spec.PriorityClassName, got, err)
			}
		}
	}
	if _, err := PodInScope(plain, class("Like", "x")); err == nil {
		t.Error("an unknown operator is accepted")
	}
}

func TestCountName(t *testing.T) {
	for gr, want := range map[schema.GroupResource]corev1.ResourceName{
		{Resource: "pods"}: "count/pods", {Group: "apps", Resource: "deployments"}: "count/deployments.apps",
	} {
		if got := CountName(gr); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
