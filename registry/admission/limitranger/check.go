package limitranger

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/admission"
	podresource "k8s.io/component-helpers/resource"
)

// check reports all that exceeds the limits.
func check(r *corev1.LimitRange, a admission.Attributes) error {
	switch obj := a.GetObject().(type) {
	case *corev1.Pod:
		return checkPod(r, obj)
	case *corev1.PersistentVolumeClaim:
		return checkClaim(r, obj)
	}
	return nil
}

func checkPod(r *corev1.LimitRange, pod *corev1.Pod) error {
	var errs []error
	for _, item := range r.Spec.Limits {
		switch item.Type {
		case corev1.LimitTypeContainer:
			for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
				for i := range containers {
					errs = append(errs, limits(item, containers[i].Resources.Requests, containers[i].Resources.Limits)...)
				}
			}
		case corev1.LimitTypePod:
			bare := &corev1.Pod{Spec: pod.Spec}
			bare.Spec.Overhead = nil
			errs = append(errs, limits(item, podresource.PodRequests(bare, podresource.PodResourcesOptions{}), podresource.PodLimits(bare, podresource.PodResourcesOptions{}))...)
		}
	}
	return utilerrors.NewAggregate(errs)
}

func checkClaim(r *corev1.LimitRange, claim *corev1.PersistentVolumeClaim) error {
	var errs []error
	for _, item := range r.Spec.Limits {
		if item.Type != corev1.LimitTypePersistentVolumeClaim {
			continue
		}
		requests := claim.Spec.Resources.Requests
		for _, name := range sorted(item.Min) {
			errs = append(errs, atLeast(item.Type, name, item.Min[name], requests, nil))
		}
		for _, name := range sorted(item.Max) {
			errs = append(errs, atMostRequested(item.Type, name, item.Max[name], requests))
		}
	}
	return utilerrors.NewAggregate(errs)
}

func limits(item corev1.LimitRangeItem, requests, limits corev1.ResourceList) []error {
	var errs []error
	for _, name := range sorted(item.Min) {
		errs = append(errs, atLeast(item.Type, name, item.Min[name], requests, limits))
	}
	for _, name := range sorted(item.Max) {
		errs = append(errs, atMost(item.Type, name, item.Max[name], requests, limits))
	}
	for _, name := range sorted(item.MaxLimitRequestRatio) {
		errs = append(errs, ratio(item.Type, name, item.MaxLimitRequestRatio[name], requests, limits))
	}
	return errs
}

func atLeast(per corev1.LimitType, name corev1.ResourceName, least resource.Quantity, requests, limits corev1.ResourceList) error {
	request, requested := requests[name]
	limit, limited := limits[name]
	switch {
	case !requested:
		return fmt.Errorf("minimum %s usage per %s is %s.  No request is specified", name, per, least.String())
	case request.Cmp(least) < 0:
		return fmt.Errorf("minimum %s usage per %s is %s, but request is %s", name, per, least.String(), request.String())
	case limited && limit.Cmp(least) < 0:
		return fmt.Errorf("minimum %s usage per %s is %s, but limit is %s", name, per, least.String(), limit.String())
	}
	return nil
}

func atMost(per corev1.LimitType, name corev1.ResourceName, most resource.Quantity, requests, limits corev1.ResourceList) error {
	request, requested := requests[name]
	limit, limited := limits[name]
	switch {
	case !limited:
		return fmt.Errorf("maximum %s usage per %s is %s.  No limit is specified", name, per, most.String())
	case limit.Cmp(most) > 0:
		return fmt.Errorf("maximum %s usage per %s is %s, but limit is %s", name, per, most.String(), limit.String())
	case requested && request.Cmp(most) > 0:
		return fmt.Errorf("maximum %s usage per %s is %s, but request is %s", name, per, most.String(), request.String())
	}
	return nil
}

// atMostRequested is for what has no limits, storage.
func atMostRequested(per corev1.LimitType, name corev1.ResourceName, most resource.Quantity, requests corev1.ResourceList) error {
	request, requested := requests[name]
	switch {
	case !requested:
		return fmt.Errorf("maximum %s usage per %s is %s.  No request is specified", name, per, most.String())
	case request.Cmp(most) > 0:
		return fmt.Errorf("maximum %s usage per %s is %s, but request is %s", name, per, most.String(), request.String())
	}
	return nil
}

func ratio(per corev1.LimitType, name corev1.ResourceName, most resource.Quantity, requests, limits corev1.ResourceList) error {
	request, limit := requests[name], limits[name]
	switch {
	case request.IsZero():
		return fmt.Errorf("%s max limit to request ratio per %s is %s, but no request is specified or request is 0", name, per, most.String())
	case limit.IsZero():
		return fmt.Errorf("%s max limit to request ratio per %s is %s, but no limit is specified or limit is 0", name, per, most.String())
	}
	if r := limit.AsApproximateFloat64() / request.AsApproximateFloat64(); r > most.AsApproximateFloat64() {
		return fmt.Errorf("%s max limit to request ratio per %s is %s, but provided ratio is %f", name, per, most.String(), r)
	}
	return nil
}

// sorted gives errors an order.
func sorted(list corev1.ResourceList) []corev1.ResourceName { return slices.Sorted(maps.Keys(list)) }
