package core

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/net"
)

// preferAvoidPods is the annotation by which a node asked not to get the pods of some controllers.
const preferAvoidPods = corev1.PreferAvoidPodsAnnotationKey

// ValidateNode checks a node that is created or updated.
func ValidateNode(n *corev1.Node) field.ErrorList {
	var p problems
	p.node(n)
	if s := n.Status.NodeInfo.Swap; s != nil && s.Capacity != nil && *s.Capacity <= 0 {
		p.invalid(field.NewPath("metadata", "nodeSwapStatus", "capacity"), *s.Capacity, "must be greater than zero")
	}
	at, cidrs := field.NewPath("spec", "podCIDRs"), n.Spec.PodCIDRs
	for i, cidr := range cidrs {
		p.cidr(at.Index(i), cidr, nil)
	}
	if len(cidrs) > 1 {
		dual, err := net.IsDualStackCIDRStrings(cidrs)
		if err != nil {
			p.list = append(p.list, field.InternalError(at, fmt.Errorf("invalid PodCIDRs. failed to check with dual stack with error:%v", err)))
		}
		if !dual || len(cidrs) > 2 {
			p.invalid(at, cidrs, "may specify no more than one CIDR for each IP family")
		}
	}
	return p.list
}

// node checks what holds for status updates, too.
func (p *problems) node(n *corev1.Node) {
	meta := field.NewPath("metadata")
	p.nodeAnnotations(meta.Child("annotations"), n.Annotations)
	p.taints(meta.Child("taints"), n.Spec.Taints) // spelt as clients have learnt it
	for name, q := range n.Status.Capacity {
		p.quantity(field.NewPath("status", "capacity", string(name)), name, q)
	}
	for name, q := range n.Status.Allocatable {
		p.quantity(field.NewPath("status", "allocatable", string(name)), name, q)
	}
	p.declaredFeatures(field.NewPath("status", "declaredFeatures"), n.Status.DeclaredFeatures)
}

func (p *problems) nodeAnnotations(at *field.Path, all map[string]string) {
	if text := all[corev1.TaintsAnnotationKey]; text != "" {
		var taints []corev1.Taint
		if err := json.Unmarshal([]byte(text), &taints); err != nil {
			p.invalid(at, corev1.TaintsAnnotationKey, err.Error())
		}
		p.taints(at.Child(corev1.TaintsAnnotationKey), taints)
	}
	text := all[preferAvoidPods]
	if text == "" {
		return
	}
	var avoid corev1.AvoidPods
	if err := json.Unmarshal([]byte(text), &avoid); err != nil {
		p.invalid(at.Child("AvoidPods"), preferAvoidPods, err.Error())
	}
	for i, entry := range avoid.PreferAvoidPods {
		at := at.Child(preferAvoidPods).Index(i).Child("PodSignature")
		if owner := entry.PodSignature.PodController; owner == nil {
			p.required(at, "")
		} else if !isTrue(owner.Controller) {
			p.invalid(at.Child("PodController", "Controller"), false, "must point to a controller")
		}
	}
}

func (p *problems) taints(at *field.Path, all []corev1.Taint) {
	type key struct {
		key    string
		effect corev1.TaintEffect
	}
	seen := map[key]bool{}
	for i, t := range all {
		at := at.Index(i)
		p.labelName(at.Child("key"), t.Key)
		if messages := validation.IsValidLabelValue(t.Value); len(messages) > 0 {
			p.invalid(at.Child("value"), t.Value, strings.Join(messages, ";"))
		}
		if p.need(at.Child("effect"), string(t.Effect)) {
			p.taintEffect(at.Child("effect"), t.Effect)
		}
		if k := (key{t.Key, t.Effect}); seen[k] {
			twice := field.Duplicate(at, t)
			twice.Detail = "taints must be unique by key and effect pair"
			p.list = append(p.list, twice)
		} else {
			seen[k] = true
		}
	}
}

var featureName = regexp.MustCompile(`^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$`)

func (p *problems) declaredFeatures(at *field.Path, all []string) {
	for i, name := range all {
		switch {
		case len(name) > validation.DNS1123SubdomainMaxLength:
			p.invalid(at.Index(i), name, fmt.Sprintf("invalid feature name %q: must be no more than %d characters", name, validation.DNS1123SubdomainMaxLength))
		case !featureName.MatchString(name):
			p.invalid(at.Index(i), name, fmt.Sprintf("invalid feature name %q: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes", name))
		}
		if i+1 == len(all) {
			continue
		}
		switch next := all[i+1]; {
		case name == next:
			p.duplicate(at.Index(i+1), next)
		case name > next:
			p.invalid(at.Index(i+1), next, "list must be sorted alphabetically")
		}
	}
}

// ValidateNodeUpdate checks what may change in a node, or in the status of one. What it is given once, addresses for pods and its provider's
// name, stays.
func ValidateNodeUpdate(n, old *corev1.Node) field.ErrorList {
	var p problems
	p.node(n)
	at := field.NewPath("spec")
	seen := map[corev1.NodeAddress]bool{}
	for i, a := range n.Status.Addresses {
		if seen[a] {
			p.duplicate(field.NewPath("status", "addresses").Index(i), a)
		}
		seen[a] = true
	}
	if is, was := n.Spec.PodCIDRs, old.Spec.PodCIDRs; len(was) > 0 {
		const why = "node updates may not change podCIDR except from \"\" to valid"
		if len(is) != len(was) {
			p.forbidden(at.Child("podCIDRs"), why)
		} else {
			for i := range was {
				if is[i] != was[i] {
					p.forbidden(at.Child("podCIDRs"), why)
				}
			}
		}
	}
	if was := old.Spec.ProviderID; was != "" && was != n.Spec.ProviderID {
		p.forbidden(at.Child("providerID"), "node updates may not change providerID except from \"\" to valid")
	}
	if n.Spec.DoNotUseExternalID != old.Spec.DoNotUseExternalID {
		p.forbidden(at.Child("externalID"), "may not be updated")
	}
	return p.list
}

// NodeWarnings tells of what is deprecated or has no effect.
func NodeWarnings(n *corev1.Node) (all []string) {
	if n.Spec.ConfigSource != nil {
		all = append(all, "spec.configSource: the feature is removed")
	}
	if n.Spec.DoNotUseExternalID != "" {
		all = append(all, "spec.externalID: this field is deprecated, and is unused by Kubernetes")
	}
	for i, cidr := range n.Spec.PodCIDRs {
		all = append(all, validation.GetWarningsForCIDR(field.NewPath("spec", "podCIDRs").Index(i), cidr)...)
	}
	return all
}
