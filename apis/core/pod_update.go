package core

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// updatable are the fields of a pod that can be changed, as clients are told.
var updatable = strings.Join([]string{
	"`spec.containers[*].image`", "`spec.initContainers[*].image`", "`spec.activeDeadlineSeconds`",
	"`spec.tolerations` (only additions to existing tolerations)",
	"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
}, ",")

// ValidatePodUpdate checks a changed pod: what it must be, and what must not change.
func ValidatePodUpdate(pod, old *corev1.Pod) field.ErrorList {
	p, at := newPodProblems(pod), field.NewPath("spec")
	p.pod()
	p.annotationsUpdate(field.NewPath("metadata", "annotations"), old.Annotations)
	if !p.images(at.Child("containers"), pod.Spec.Containers, old.Spec.Containers) || !p.images(at.Child("initContainers"), pod.Spec.InitContainers, old.Spec.InitContainers) {
		return p.list
	}
	if !p.deadline(at.Child("activeDeadlineSeconds"), pod.Spec.ActiveDeadlineSeconds, old.Spec.ActiveDeadlineSeconds) {
		return p.list
	}
	p.moreTolerations(at.Child("tolerations"), old.Spec.Tolerations)
	p.fewerGates(at.Child("schedulingGates"), old.Spec.SchedulingGates)
	if apiequality.Semantic.DeepEqual(pod.Spec, old.Spec) {
		return p.list
	}
	same := p.restored(at, &old.Spec)
	if !apiequality.Semantic.DeepEqual(*same, old.Spec) {
		p.forbidden(at, fmt.Sprintf("pod updates may not change fields other than %s\n%v", updatable, diff.Diff(rule.Internal(old.Spec), rule.Internal(*same))))
	}
	return p.list
}

// images reports whether the containers are the same in number.
func (p *podProblems) images(at *field.Path, is, was []corev1.Container) bool {
	if len(is) != len(was) {
		p.forbidden(at, "pod updates may not add or remove containers")
		return false
	}
	for i := range is {
		p.need(at.Index(i).Child("image"), is[i].Image)
		p.trimmedImage(at.Index(i), &is[i])
	}
	return true
}

// deadline lets a pod get a deadline, and an earlier one. It reports whether to go on.
func (p *podProblems) deadline(at *field.Path, is, was *int64) bool {
	switch {
	case is == nil && was != nil:
		p.invalid(at, is, "must not update from a positive integer to nil value")
	case is == nil:
	case *is < 0 || *is > math.MaxInt32:
		p.invalid(at, *is, validation.InclusiveRangeError(0, math.MaxInt32))
		return false
	case was != nil && *was < *is:
		p.invalid(at, *is, "must be less than or equal to previous value")
		return false
	}
	return true
}

func (p *podProblems) moreTolerations(at *field.Path, was []corev1.Toleration) {
	for _, old := range was {
		if !slices.ContainsFunc(p.spec.Tolerations, func(t corev1.Toleration) bool {
			t.TolerationSeconds = old.TolerationSeconds
			return reflect.DeepEqual(t, old)
		}) {
			p.forbidden(at, "existing toleration can not be modified except its tolerationSeconds")
			return
		}
	}
	p.tolerations(at, p.spec.Tolerations)
}

func (p *podProblems) fewerGates(at *field.Path, was []corev1.PodSchedulingGate) {
	for i, gate := range p.spec.SchedulingGates {
		if !slices.Contains(was, gate) {
			p.forbidden(at.Index(i).Child("name"), fmt.Sprintf("only deletion is allowed, but found new scheduling gate '%s'", gate.Name))
		}
	}
}

// restored is the new spec with all that may change as it was, so that what remains different must not be.
func (p *podProblems) restored(at *field.Path, old *corev1.PodSpec) *corev1.PodSpec {
	s := p.spec.DeepCopy()
	for i := range s.Containers {
		s.Containers[i].Image = old.Containers[i].Image
	}
	for i := range s.InitContainers {
		s.InitContainers[i].Image = old.InitContainers[i].Image
	}
	s.ActiveDeadlineSeconds, s.SchedulingGates, s.Tolerations = old.ActiveDeadlineSeconds, old.SchedulingGates, old.Tolerations
	if is, was := s.TerminationGracePeriodSeconds, old.TerminationGracePeriodSeconds; was != nil && *was < 0 && is != nil && *is == 1 {
		s.TerminationGracePeriodSeconds = was
	}
	if len(old.SchedulingGates) > 0 {
		p.narrowed(at, s, old)
	}
	return s
}

// narrowed lets the choice of nodes become narrower for as long as the pod is held back by gates.
func (p *podProblems) narrowed(at *field.Path, s, old *corev1.PodSpec) {
	for key, value := range old.NodeSelector {
		if is, ok := s.NodeSelector[key]; !ok || is != value {
			p.invalid(at.Child("nodeSelector"), s.NodeSelector, "only additions to spec.nodeSelector are allowed (no mutations or deletions)")
			break
		}
	}
	s.NodeSelector = old.NodeSelector
	var is, was *corev1.NodeAffinity
	if s.Affinity != nil {
		is = s.Affinity.NodeAffinity
	}
	if old.Affinity != nil {
		was = old.Affinity.NodeAffinity
	}
	if apiequality.Semantic.DeepEqual(is, was) {
		return
	}
	p.narrowedAffinity(at.Child("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"), is, was)
	switch {
	case s.Affinity == nil:
		s.Affinity = &corev1.Affinity{NodeAffinity: was}
	case old.Affinity == nil && s.Affinity.PodAffinity == nil && s.Affinity.PodAntiAffinity == nil:
		s.Affinity = nil
	default:
		s.Affinity.NodeAffinity = was
	}
}

func (p *podProblems) narrowedAffinity(at *field.Path, is, was *corev1.NodeAffinity) {
	if was == nil || was.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return
	}
	oldTerms := was.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	var terms []corev1.NodeSelectorTerm
	if is != nil && is.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		terms = is.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	}
	if len(oldTerms) > 0 && len(oldTerms) != len(terms) {
		p.invalid(at, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
		return
	}
	for i := range oldTerms {
		if !onlyAdds(terms[i], oldTerms[i]) {
			p.invalid(at.Index(i), terms[i], "only additions are allowed (no mutations or deletions)")
		}
	}
}

// onlyAdds reports whether the term demands all that the old one did, in the same order. An empty term selects nothing:
// anything added would widen it.
func onlyAdds(is, was corev1.NodeSelectorTerm) bool {
	e, f := len(was.MatchExpressions), len(was.MatchFields)
	if e+f == 0 {
		return len(is.MatchExpressions)+len(is.MatchFields) == 0
	}
	return len(is.MatchExpressions) >= e && len(is.MatchFields) >= f &&
		apiequality.Semantic.DeepEqual(is.MatchExpressions[:e:e], was.MatchExpressions[:e:e]) && apiequality.Semantic.DeepEqual(is.MatchFields[:f:f], was.MatchFields[:f:f])
}

func (p *podProblems) annotationsUpdate(at *field.Path, was map[string]string) {
	is := p.meta.Annotations
	kind := func(key string) string {
		switch {
		case strings.HasPrefix(key, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix):
			return "AppArmor annotations"
		case key == corev1.MirrorPodAnnotationKey:
			return "mirror pod annotation"
		}
		return ""
	}
	for key, old := range was {
		if value, ok := is[key]; (!ok || value != old) && kind(key) != "" {
			p.forbidden(at.Key(key), "may not remove or update "+kind(key))
		}
	}
	for key := range is {
		if _, ok := was[key]; !ok && kind(key) != "" {
			p.forbidden(at.Key(key), "may not add "+kind(key))
		}
	}
	p.annotations(at)
}

// ValidateEphemeralContainersUpdate lets ephemeral containers only be added.
func ValidateEphemeralContainersUpdate(pod, old *corev1.Pod) field.ErrorList {
	if IsMirror(old) {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods do not support ephemeral containers")}
	}
	p, at := newPodProblems(pod), field.NewPath("spec", "ephemeralContainers")
	p.pod()
	p.annotationsUpdate(field.NewPath("metadata", "annotations"), old.Annotations)
	for _, was := range old.Spec.EphemeralContainers {
		i := slices.IndexFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == was.Name })
		if i < 0 {
			p.forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", was.Name))
		} else if is := pod.Spec.EphemeralContainers[i]; !apiequality.Semantic.DeepEqual(was, is) {
			p.forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be changed\n%v", was.Name, diff.Diff(rule.Internal(was), rule.Internal(is))))
		}
	}
	return p.list
}
