package resourcequota

import (
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	quota "k8s.io/apiserver/pkg/quota/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// contents is what a namespace holds, as far as a quota asks about it.
type contents struct {
	pods     []corev1.Pod
	services []corev1.Service
	claims   []corev1.PersistentVolumeClaim
	// counts are the numbers of objects by the quota's name for them; what could not be counted is missing.
	counts map[corev1.ResourceName]int
	// uncounted is why.
	uncounted error
}

// aliases are the names of spec.hard that count objects without saying so.
func aliases() map[corev1.ResourceName]schema.GroupResource {
	return map[corev1.ResourceName]schema.GroupResource{
		corev1.ResourceConfigMaps:             {Resource: "configmaps"},
		corev1.ResourceQuotas:                 {Resource: "resourcequotas"},
		corev1.ResourceReplicationControllers: {Resource: "replicationcontrollers"},
		corev1.ResourceSecrets:                {Resource: "secrets"},
	}
}

// counted returns the resource whose objects a name of spec.hard counts; ok is false for names that measure something
// else.
func counted(name corev1.ResourceName) (resource schema.GroupResource, ok bool) {
	if core.IsPodQuota(name) || core.IsServiceQuota(name) || core.IsClaimQuota(name) {
		return resource, false
	}
	if resource, ok := aliases()[name]; ok {
		return resource, true
	}
	text, ok := strings.CutPrefix(string(name), "count/")
	return schema.ParseGroupResource(text), ok
}

// decide returns the status that q should have. What cannot be measured keeps its last value.
func decide(q *corev1.ResourceQuota, c contents, now time.Time) (corev1.ResourceQuotaStatus, error) {
	measured := corev1.ResourceList{}
	for name := range q.Spec.Hard {
		if core.IsPodQuota(name) || core.IsServiceQuota(name) || core.IsClaimQuota(name) {
			measured[name] = resource.Quantity{Format: resource.DecimalSI}
		}
	}
	scopes := core.QuotaScopes(q)
	err := addAll(measured, c, scopes, now)
	for name, n := range c.counts {
		if len(scopes) > 0 {
			n = 0 // scopes are about Pods and claims: nothing else is in any
		}
		measured[name] = *resource.NewQuantity(int64(n), resource.DecimalSI)
	}
	used := quota.Add(corev1.ResourceList{}, q.Status.Used)
	for name, quantity := range measured {
		used[name] = quantity
	}
	return corev1.ResourceQuotaStatus{
		Hard: quota.Add(corev1.ResourceList{}, q.Spec.Hard),
		Used: quota.Mask(used, quota.ResourceNames(q.Spec.Hard)),
	}, err
}

// addAll adds up what is in all scopes, for the names that are in measured.
func addAll(measured corev1.ResourceList, c contents, scopes []corev1.ScopedResourceSelectorRequirement, now time.Time) error {
	var errs []error
	for i := range c.pods {
		in, err := inAll(&c.pods[i], scopes, core.PodInScope)
		errs = append(errs, err)
		if in {
			add(measured, core.PodUsage(&c.pods[i], now))
		}
	}
	for i := range c.claims {
		in, err := inAll(&c.claims[i], scopes, core.ClaimInScope)
		errs = append(errs, err)
		if in {
			add(measured, core.ClaimUsage(&c.claims[i]))
		}
	}
	if len(scopes) == 0 {
		for i := range c.services {
			add(measured, core.ServiceUsage(&c.services[i]))
		}
	}
	return errors.Join(errs...)
}

// nextOverdue is when the next Pod is so long overdue that it does not count any more, without anything happening to it;
// zero for never.
func nextOverdue(pods []corev1.Pod, now time.Time) time.Duration {
	var next time.Duration
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil || !core.CountsInQuota(pod, now) {
			continue
		}
		grace := time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
		if left := pod.DeletionTimestamp.Add(grace).Sub(now) + time.Millisecond; next == 0 || left < next {
			next = left
		}
	}
	return next
}

type scopeFunc[T any] func(T, corev1.ScopedResourceSelectorRequirement) (bool, error)

func inAll[T any](o T, scopes []corev1.ScopedResourceSelectorRequirement, in scopeFunc[T]) (bool, error) {
	for _, scope := range scopes {
		if ok, err := in(o, scope); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func add(measured, usage corev1.ResourceList) {
	for name, sum := range measured {
		if quantity, ok := usage[name]; ok {
			sum.Add(quantity)
			measured[name] = sum
		}
	}
}
