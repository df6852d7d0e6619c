// Package resourcequota measures requests for the library's quota plugin.
//
// What objects use is decided in apis/core; the controller that observes usage decides by the same functions.
package resourcequota

import (
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Configuration lists what is measured by more than its number, and what is not measured at all. Any other resource can be
// limited by count/<resource>.<group>.
func Configuration(now func() time.Time) quota.Configuration {
	evaluators := []quota.Evaluator{pods(now), services(), claims()}
	for name, alias := range map[string]corev1.ResourceName{
		"configmaps": corev1.ResourceConfigMaps, "resourcequotas": corev1.ResourceQuotas,
		"replicationcontrollers": corev1.ResourceReplicationControllers, "secrets": corev1.ResourceSecrets,
	} {
		evaluators = append(evaluators, generic.NewObjectCountEvaluator(schema.GroupResource{Resource: name}, nil, alias))
	}
	ignored := map[schema.GroupResource]struct{}{}
	for _, gr := range []schema.GroupResource{
		{Resource: "bindings"}, {Resource: "componentstatuses"}, {Resource: "events"}, {Group: "events.k8s.io", Resource: "events"},
		{Group: "authentication.k8s.io", Resource: "tokenreviews"}, {Group: "authentication.k8s.io", Resource: "selfsubjectreviews"},
		{Group: "authorization.k8s.io", Resource: "subjectaccessreviews"}, {Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews"},
		{Group: "authorization.k8s.io", Resource: "localsubjectaccessreviews"}, {Group: "authorization.k8s.io", Resource: "selfsubjectrulesreviews"},
	} {
		ignored[gr] = struct{}{}
	}
	return generic.NewConfiguration(evaluators, ignored)
}

func pods(now func() time.Time) quota.Evaluator {
	return evaluator[*corev1.Pod]{
		resource: "pods", measures: core.IsPodQuota, inScope: core.PodInScope, missing: core.MissingForQuota,
		usage: func(pod *corev1.Pod) corev1.ResourceList { return core.PodUsage(pod, now()) },
		handles: func(a admission.Attributes, pod, old *corev1.Pod) bool {
			switch a.GetSubresource() + ":" + string(a.GetOperation()) {
			case ":CREATE", "resize:UPDATE":
				return true
			case ":UPDATE": // a deadline moves the Pod from one quota to another
				return (pod.Spec.ActiveDeadlineSeconds == nil) != (old.Spec.ActiveDeadlineSeconds == nil)
			}
			return false
		},
	}
}

func services() quota.Evaluator {
	return evaluator[*corev1.Service]{
		resource: "services", measures: core.IsServiceQuota, usage: core.ServiceUsage,
		handles: func(a admission.Attributes, _, _ *corev1.Service) bool { return a.GetSubresource() == "" },
	}
}

func claims() quota.Evaluator {
	return evaluator[*corev1.PersistentVolumeClaim]{
		resource: "persistentvolumeclaims", measures: core.IsClaimQuota, inScope: core.ClaimInScope, usage: core.ClaimUsage,
		handles: func(a admission.Attributes, claim, old *corev1.PersistentVolumeClaim) bool {
			switch a.GetSubresource() {
			case "":
				return true
			case "status":
				return claim.Status.AllocatedResources.Storage().Cmp(*old.Status.AllocatedResources.Storage()) != 0 ||
					!slices.Equal(core.AttributesClasses(claim), core.AttributesClasses(old))
			}
			return false
		},
	}
}

// evaluator measures one resource of the core group.
type evaluator[T runtime.Object] struct {
	resource string
	measures func(name corev1.ResourceName) bool
	usage    func(obj T) corev1.ResourceList
	handles  func(a admission.Attributes, obj, old T) bool
	// inScope and missing may be nil: then there are no scopes, and nothing is mandatory.
	inScope func(obj T, scope corev1.ScopedResourceSelectorRequirement) (bool, error)
	missing func(obj T, required []corev1.ResourceName) error
}

var _ quota.Evaluator = evaluator[*corev1.Pod]{}

func (e evaluator[T]) GroupResource() schema.GroupResource {
	return schema.GroupResource{Resource: e.resource}
}

func (e evaluator[T]) typed(obj runtime.Object) (T, error) {
	t, ok := obj.(T)
	if !ok {
		return t, fmt.Errorf("expected %T but got %T", t, obj)
	}
	return t, nil
}

// Handles implements quota.Evaluator: only creations and updates can use more.
func (e evaluator[T]) Handles(a admission.Attributes) bool {
	obj, err := e.typed(a.GetObject())
	if err != nil {
		return false
	}
	if a.GetOperation() == admission.Create {
		return e.handles(a, obj, obj)
	}
	old, err := e.typed(a.GetOldObject())
	return err == nil && a.GetOperation() == admission.Update && e.handles(a, obj, old)
}

func (e evaluator[T]) Constraints(required []corev1.ResourceName, item runtime.Object) error {
	obj, err := e.typed(item)
	if err != nil || e.missing == nil {
		return err
	}
	return e.missing(obj, required)
}

func (e evaluator[T]) scope(scope corev1.ScopedResourceSelectorRequirement, item runtime.Object) (bool, error) {
	obj, err := e.typed(item)
	if err != nil || e.inScope == nil {
		return false, err
	}
	return e.inScope(obj, scope)
}

func (e evaluator[T]) Matches(q *corev1.ResourceQuota, item runtime.Object) (bool, error) {
	return generic.Matches(q, item, e.MatchingResources, e.scope)
}

func (e evaluator[T]) MatchingScopes(item runtime.Object, scopes []corev1.ScopedResourceSelectorRequirement) ([]corev1.ScopedResourceSelectorRequirement, error) {
	var matching []corev1.ScopedResourceSelectorRequirement
	for _, scope := range scopes {
		in, err := e.scope(scope, item)
		if err != nil {
			return nil, fmt.Errorf("error on matching scope %v: %w", scope, err)
		}
		if in {
			matching = append(matching, scope)
		}
	}
	return matching, nil
}

func (e evaluator[T]) UncoveredQuotaScopes(limited, covered []corev1.ScopedResourceSelectorRequirement) ([]corev1.ScopedResourceSelectorRequirement, error) {
	var uncovered []corev1.ScopedResourceSelectorRequirement
	for _, l := range limited {
		if !slices.ContainsFunc(covered, func(c corev1.ScopedResourceSelectorRequirement) bool { return c.ScopeName == l.ScopeName }) {
			uncovered = append(uncovered, l)
		}
	}
	return uncovered, nil
}

func (e evaluator[T]) MatchingResources(names []corev1.ResourceName) []corev1.ResourceName {
	var matching []corev1.ResourceName
	for _, name := range names {
		if e.measures(name) {
			matching = append(matching, name)
		}
	}
	return matching
}

func (e evaluator[T]) Usage(item runtime.Object) (corev1.ResourceList, error) {
	obj, err := e.typed(item)
	if err != nil {
		return nil, err
	}
	return e.usage(obj), nil
}

// UsageStats is for controllers.
func (e evaluator[T]) UsageStats(quota.UsageStatsOptions) (quota.UsageStats, error) {
	return quota.UsageStats{}, errors.New("admission does not measure what is stored")
}
