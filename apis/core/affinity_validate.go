package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (p *podProblems) affinity(at *field.Path, a *corev1.Affinity) {
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	if n := a.NodeAffinity; n != nil {
		at := at.Child("nodeAffinity")
		if n.RequiredDuringSchedulingIgnoredDuringExecution != nil {
			p.nodeSelector(at.Child(required), n.RequiredDuringSchedulingIgnoredDuringExecution)
		}
		for i, term := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			at := at.Child(preferred).Index(i)
			p.weight(at.Child("weight"), term.Weight)
			p.nodeSelectorTerm(at.Child("preference"), &term.Preference, true)
		}
	}
	terms := func(at *field.Path, must []corev1.PodAffinityTerm, should []corev1.WeightedPodAffinityTerm) {
		for i := range must {
			p.podAffinityTerm(at.Child(required).Index(i), &must[i])
		}
		for i := range should {
			at := at.Child(preferred).Index(i)
			p.weight(at.Child("weight"), should[i].Weight)
			p.podAffinityTerm(at.Child("podAffinityTerm"), &should[i].PodAffinityTerm)
		}
	}
	if a.PodAffinity != nil {
		terms(at.Child("podAffinity"), a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a.PodAntiAffinity != nil {
		terms(at.Child("podAntiAffinity"), a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (p *problems) weight(at *field.Path, weight int32) {
	if weight <= 0 || weight > 100 {
		p.invalid(at, weight, "must be in the range 1-100")
	}
}

// ValidateNodeSelector checks which nodes something may run on, or be reached from.
func ValidateNodeSelector(s *corev1.NodeSelector, at *field.Path) field.ErrorList {
	var p problems
	p.nodeSelector(at, s)
	return p.list
}

func (p *problems) nodeSelector(at *field.Path, s *corev1.NodeSelector) {
	at = at.Child("nodeSelectorTerms")
	if len(s.NodeSelectorTerms) == 0 {
		p.required(at, "must have at least one node selector term")
	}
	for i := range s.NodeSelectorTerms {
		p.nodeSelectorTerm(at.Index(i), &s.NodeSelectorTerms[i], false)
	}
}

// nodeSelectorTerm checks a term; anyValue lets it ask for values that no label can have.
func (p *problems) nodeSelectorTerm(at *field.Path, t *corev1.NodeSelectorTerm, anyValue bool) {
	for i, r := range t.MatchExpressions {
		at := at.Child("matchExpressions").Index(i)
		switch r.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(r.Values) == 0 {
				p.required(at.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'")
			}
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				p.forbidden(at.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
			}
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			if len(r.Values) != 1 {
				p.required(at.Child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'")
			}
		default:
			p.invalid(at.Child("operator"), r.Operator, "not a valid selector operator")
		}
		p.labelName(at.Child("key"), r.Key)
		for j, value := range r.Values {
			if !anyValue {
				p.invalid(at.Child("values").Index(j), value, validation.IsValidLabelValue(value)...)
			}
		}
	}
	for i, r := range t.MatchFields {
		at := at.Child("matchFields").Index(i)
		if r.Operator != corev1.NodeSelectorOpIn && r.Operator != corev1.NodeSelectorOpNotIn {
			p.invalid(at.Child("operator"), r.Operator, "not a valid selector operator")
		} else if len(r.Values) != 1 {
			p.required(at.Child("values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")
		}
		if r.Key != metav1.ObjectNameField {
			p.invalid(at.Child("key"), r.Key, "not a valid field selector key")
			continue
		}
		for j, value := range r.Values {
			p.subdomain(at.Child("values").Index(j), value)
		}
	}
}

func (p *podProblems) podAffinityTerm(at *field.Path, t *corev1.PodAffinityTerm) {
	p.selector(at.Child("labelSelector"), t.LabelSelector)
	p.selector(at.Child("namespaceSelector"), t.NamespaceSelector)
	for _, name := range t.Namespaces {
		p.invalid(at.Child("namespace"), name, apivalidation.ValidateNamespaceName(name, false)...)
	}
	p.labelKeys(at, t.MatchLabelKeys, t.MismatchLabelKeys, t.LabelSelector)
	if t.TopologyKey == "" {
		p.required(at.Child("topologyKey"), "can not be empty")
	}
	p.labelName(at.Child("topologyKey"), t.TopologyKey)
}

func (p *problems) selector(at *field.Path, s *metav1.LabelSelector) {
	p.join(metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, at))
}

// labelKeys checks keys of which pods must, or must not, have the same value as the pod itself. On creation they are added
// to the selector; what was there already says it twice.
func (p *problems) labelKeys(at *field.Path, match, mismatch []string, s *metav1.LabelSelector) {
	for name, keys := range map[string][]string{"matchLabelKeys": match, "mismatchLabelKeys": mismatch} {
		if len(keys) > 0 && s == nil {
			p.forbidden(at.Child(name), "must not be specified when labelSelector is not set")
			continue
		}
		for i, key := range keys {
			p.labelName(at.Child(name).Index(i), key)
		}
	}
	if s != nil && len(match) > 0 {
		seen := map[string]bool{}
		for key := range s.MatchLabels {
			seen[key] = true
		}
		for _, e := range s.MatchExpressions {
			if i := lastIndex(match, e.Key); i >= 0 && seen[e.Key] {
				p.invalid(at.Index(i), e.Key, "exists in both matchLabelKeys and labelSelector")
			}
			seen[e.Key] = true
		}
	}
	for i, key := range match {
		if slices.Contains(mismatch, key) {
			p.invalid(at.Child("matchLabelKeys").Index(i), key, "exists in both matchLabelKeys and mismatchLabelKeys")
		}
	}
}

func lastIndex(all []string, s string) int {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] == s {
			return i
		}
	}
	return -1
}

func (p *podProblems) topologySpread(at *field.Path, all []corev1.TopologySpreadConstraint) {
	for i := range all {
		c, at := &all[i], at.Index(i)
		if c.MaxSkew <= 0 {
			p.invalid(at.Child("maxSkew"), int64(c.MaxSkew), "must be greater than zero")
		}
		if c.TopologyKey == "" {
			p.required(at.Child("topologyKey"), "can not be empty")
		}
		oneOf(&p.problems, at.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)
		for j := range all[i+1:] {
			if o := &all[i+1+j]; o.TopologyKey == c.TopologyKey && o.WhenUnsatisfiable == c.WhenUnsatisfiable {
				p.duplicate(at.Child("{topologyKey, whenUnsatisfiable}"), fmt.Sprintf("{%v, %v}", c.TopologyKey, c.WhenUnsatisfiable))
				break
			}
		}
		if n := c.MinDomains; n != nil {
			if *n <= 0 {
				p.invalid(at.Child("minDomains"), int64(*n), "must be greater than zero")
			}
			if c.WhenUnsatisfiable != corev1.DoNotSchedule {
				p.invalid(at.Child("minDomains"), n, fmt.Sprintf("can only use minDomains if whenUnsatisfiable=%s, not %s", corev1.DoNotSchedule, c.WhenUnsatisfiable))
			}
		}
		for name, policy := range map[string]*corev1.NodeInclusionPolicy{"nodeAffinityPolicy": c.NodeAffinityPolicy, "nodeTaintsPolicy": c.NodeTaintsPolicy} {
			if policy != nil {
				oneOf(&p.problems, at.Child(name), *policy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
			}
		}
		p.labelKeys(at, c.MatchLabelKeys, nil, c.LabelSelector)
		p.selector(at.Child("labelSelector"), c.LabelSelector)
	}
}

func (p *problems) tolerations(at *field.Path, all []corev1.Toleration) {
	for i := range all {
		t, at := &all[i], at.Index(i)
		if t.Key != "" {
			p.labelName(at.Child("key"), t.Key)
		} else if t.Operator != corev1.TolerationOpExists {
			p.invalid(at.Child("operator"), t.Operator, "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			p.invalid(at.Child("effect"), t.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
		}
		switch t.Operator {
		case corev1.TolerationOpEqual, "":
			if messages := validation.IsValidLabelValue(t.Value); len(messages) > 0 {
				p.invalid(at.Child("operator"), t.Value, strings.Join(messages, ";"))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				p.invalid(at.Child("operator"), t.Value, "value must be empty when `operator` is 'Exists'")
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt: // known, but not enabled
			p.list = append(p.list, field.NotSupported(at.Child("operator"), t.Operator,
				[]corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists, corev1.TolerationOpLt, corev1.TolerationOpGt}))
		default:
			oneOf(p, at.Child("operator"), t.Operator, corev1.TolerationOpEqual, corev1.TolerationOpExists)
		}
		if t.Effect != "" {
			p.taintEffect(at.Child("effect"), t.Effect)
		}
	}
}

func (p *problems) taintEffect(at *field.Path, effect corev1.TaintEffect) {
	oneOf(p, at, effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
}
