package core

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultLimitRange derives the default limits and requests of containers from the bounds. Safe to repeat.
func DefaultLimitRange(l *corev1.LimitRange) {
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		if item.Type == corev1.LimitTypeContainer {
			fillIn(&item.Default, item.Max)
			fillIn(&item.DefaultRequest, item.Default)
			fillIn(&item.DefaultRequest, item.Min)
		}
		for _, list := range []corev1.ResourceList{item.Max, item.Min, item.Default, item.DefaultRequest, item.MaxLimitRequestRatio} {
			roundUp(list)
		}
	}
}

// fillIn adds what the list lacks.
func fillIn(list *corev1.ResourceList, from corev1.ResourceList) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	for name, quantity := range from {
		if _, ok := (*list)[name]; !ok {
			(*list)[name] = quantity.DeepCopy()
		}
	}
}

// ValidateLimitRange checks that bounds and defaults agree.
func ValidateLimitRange(l *corev1.LimitRange) field.ErrorList {
	var p problems
	seen := map[corev1.LimitType]bool{}
	for i := range l.Spec.Limits {
		item, at := &l.Spec.Limits[i], field.NewPath("spec", "limits").Index(i)
		p.limitType(at.Child("type"), item.Type)
		if seen[item.Type] {
			p.duplicate(at.Child("type"), item.Type)
		}
		seen[item.Type] = true
		p.limitNames(at, item)
		for name := range limitNames(item) {
			p.limit(at, item, name)
		}
	}
	return p.list
}

func (p *problems) limitType(at *field.Path, t corev1.LimitType) {
	messages := validation.IsQualifiedName(string(t))
	p.invalid(at, t, messages...)
	if len(messages) == 0 && !hasDomain(string(t)) && t != corev1.LimitTypePod && t != corev1.LimitTypeContainer && t != corev1.LimitTypePersistentVolumeClaim {
		p.invalid(at, t, "must be a standard limit type or fully qualified")
	}
}

func (p *problems) limitNames(at *field.Path, item *corev1.LimitRangeItem) {
	names := func(child string, list corev1.ResourceList) {
		for name := range list {
			at := at.Child(child).Key(string(name))
			if item.Type == corev1.LimitTypePod || item.Type == corev1.LimitTypeContainer {
				p.containerResource(at, name)
			} else {
				p.resourceName(at, name)
			}
		}
	}
	names("max", item.Max)
	names("min", item.Min)
	if item.Type == corev1.LimitTypePod {
		if len(item.Default) > 0 {
			p.forbidden(at.Child("default"), "may not be specified when `type` is 'Pod'")
		}
		if len(item.DefaultRequest) > 0 {
			p.forbidden(at.Child("defaultRequest"), "may not be specified when `type` is 'Pod'")
		}
	} else {
		names("default", item.Default)
		names("defaultRequest", item.DefaultRequest)
	}
	if item.Type == corev1.LimitTypePersistentVolumeClaim {
		_, least := item.Min[corev1.ResourceStorage]
		_, most := item.Max[corev1.ResourceStorage]
		if !least && !most {
			p.required(at.Child("limits"), "either minimum or maximum storage value is required, but neither was provided")
		}
	}
	names("maxLimitRequestRatio", item.MaxLimitRequestRatio)
}

// limitNames are the resources that the item bounds. A pod as a whole has no defaults.
func limitNames(item *corev1.LimitRangeItem) map[corev1.ResourceName]bool {
	lists := []corev1.ResourceList{item.Max, item.Min, item.MaxLimitRequestRatio}
	if item.Type != corev1.LimitTypePod {
		lists = append(lists, item.Default, item.DefaultRequest)
	}
	all := map[corev1.ResourceName]bool{}
	for _, list := range lists {
		for name := range list {
			all[name] = true
		}
	}
	return all
}

// limit checks that the bounds and defaults of one resource are in order.
func (p *problems) limit(at *field.Path, item *corev1.LimitRangeItem, name corev1.ResourceName) {
	least, hasLeast := item.Min[name]
	most, hasMost := item.Max[name]
	limit, hasLimit := item.Default[name]
	request, hasRequest := item.DefaultRequest[name]
	if item.Type == corev1.LimitTypePod {
		hasLimit, hasRequest = false, false
	}
	ordered := func(child string, shown, low, high resource.Quantity, both bool, message string) {
		if both && low.Cmp(high) > 0 {
			p.invalid(at.Child(child).Key(string(name)), shown, fmt.Sprintf(message, low.String(), high.String()))
		}
	}
	ordered("min", least, least, most, hasLeast && hasMost, "min value %s is greater than max value %s")
	ordered("defaultRequest", request, least, request, hasRequest && hasLeast, "min value %s is greater than default request value %s")
	ordered("defaultRequest", request, request, most, hasRequest && hasMost, "default request value %s is greater than max value %s")
	ordered("defaultRequest", request, request, limit, hasRequest && hasLimit, "default request value %s is greater than default limit value %s")
	ordered("default", least, least, limit, hasLimit && hasLeast, "min value %s is greater than default value %s")
	ordered("default", most, limit, most, hasLimit && hasMost, "default value %s is greater than max value %s")
	if ratio, ok := item.MaxLimitRequestRatio[name]; ok {
		p.ratio(at.Child("maxLimitRequestRatio").Key(string(name)), ratio, least, most, hasLeast && hasMost)
	}
	if !MayOvercommit(name) && hasLimit && hasRequest && limit.Cmp(request) != 0 {
		p.invalid(at.Child("defaultRequest").Key(string(name)), request, fmt.Sprintf("default value %s must equal to defaultRequest value %s in %s", limit.String(), request.String(), name))
	}
}

// ratio checks by how much a limit may exceed its request: by no more than the bounds let it.
func (p *problems) ratio(at *field.Path, ratio, least, most resource.Quantity, bounded bool) {
	if ratio.Cmp(*resource.NewQuantity(1, resource.DecimalSI)) < 0 {
		p.invalid(at, ratio, fmt.Sprintf("ratio %s is less than 1", ratio.String()))
	}
	if bounded {
		if bound := most.AsApproximateFloat64() / least.AsApproximateFloat64(); ratio.AsApproximateFloat64() > bound {
			p.invalid(at, ratio, fmt.Sprintf("ratio %s is greater than max/min = %f", ratio.String(), bound))
		}
	}
}
