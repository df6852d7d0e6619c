package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PreparePod brings a pod that is created into the state in which pods begin: pending, classed, with selectors completed
// from its own labels, and held back by scheduling gates.
func PreparePod(p *corev1.Pod, now metav1.Time) {
	SyncServiceAccount(&p.Spec)
	DefaultPodResources(p)
	p.Status = corev1.PodStatus{Phase: corev1.PodPending, QOSClass: ComputeQOSClass(&p.Spec)}
	if len(p.Spec.SchedulingGates) > 0 {
		SetPodCondition(&p.Status, corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonSchedulingGated, Message: "Scheduling is blocked due to non-empty scheduling gates",
		}, now)
	}
	if a := p.Spec.Affinity; a != nil {
		if a.PodAffinity != nil {
			addLabelKeys(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution, p.Labels)
		}
		if a.PodAntiAffinity != nil {
			addLabelKeys(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution, p.Labels)
		}
	}
	for i := range p.Spec.TopologySpreadConstraints {
		c := &p.Spec.TopologySpreadConstraints[i]
		selectByKeys(c.LabelSelector, c.MatchLabelKeys, metav1.LabelSelectorOpIn, p.Labels)
	}
}

func addLabelKeys(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, labels map[string]string) {
	add := func(t *corev1.PodAffinityTerm) {
		selectByKeys(t.LabelSelector, t.MatchLabelKeys, metav1.LabelSelectorOpIn, labels)
		selectByKeys(t.LabelSelector, t.MismatchLabelKeys, metav1.LabelSelectorOpNotIn, labels)
	}
	for i := range preferred {
		add(&preferred[i].PodAffinityTerm)
	}
	for i := range required {
		add(&required[i])
	}
}

// selectByKeys makes the selector ask for the pod's own value of each key. No selector selects nothing: it stays so.
func selectByKeys(s *metav1.LabelSelector, keys []string, op metav1.LabelSelectorOperator, labels map[string]string) {
	if s == nil {
		return
	}
	for _, key := range keys {
		if value, ok := labels[key]; ok {
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: []string{value}})
		}
	}
}

// SetPodCondition adds the condition or replaces the one of its type, and reports whether anything changed. LastTransitionTime is
// now if the status changes, and that of the former condition if not.
func SetPodCondition(s *corev1.PodStatus, c corev1.PodCondition, now metav1.Time) bool {
	c.LastTransitionTime = now
	i := slices.IndexFunc(s.Conditions, func(o corev1.PodCondition) bool { return o.Type == c.Type })
	if i < 0 {
		s.Conditions = append(s.Conditions, c)
		return true
	}
	old := &s.Conditions[i]
	if old.Status == c.Status {
		c.LastTransitionTime = old.LastTransitionTime
	}
	changed := old.Status != c.Status || old.Reason != c.Reason || old.Message != c.Message ||
		!old.LastProbeTime.Equal(&c.LastProbeTime) || !old.LastTransitionTime.Equal(&c.LastTransitionTime) || old.ObservedGeneration != c.ObservedGeneration
	*old = c
	return changed
}

// KeepObservedGenerations keeps what a status update leaves out of the generations seen, those of conditions too.
func KeepObservedGenerations(s, old *corev1.PodStatus) {
	if s.ObservedGeneration == 0 {
		s.ObservedGeneration = old.ObservedGeneration
	}
	seen := map[corev1.PodConditionType][]int64{} // there may be several conditions of a type
	for _, c := range old.Conditions {
		seen[c.Type] = append(seen[c.Type], c.ObservedGeneration)
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if was := seen[c.Type]; len(was) > 0 {
			seen[c.Type] = was[1:]
			setDefault(&c.ObservedGeneration, was[0])
		}
	}
}

// KeepClaimStatuses keeps what a status update of a client that does not know of claims left out. An empty list clears it.
func KeepClaimStatuses(s, old *corev1.PodStatus) {
	if s.ResourceClaimStatuses == nil {
		s.ResourceClaimStatuses = old.ResourceClaimStatuses
	}
	if s.ExtendedResourceClaimStatus == nil {
		s.ExtendedResourceClaimStatus = old.ExtendedResourceClaimStatus
	}
	if s.NodeAllocatableResourceClaimStatuses == nil {
		s.NodeAllocatableResourceClaimStatuses = old.NodeAllocatableResourceClaimStatuses
	}
}

// CopyResources copies from one pod to another what a resize may change. Where the containers are not the same ones it
// copies them whole, for validation to refuse.
func CopyResources(into, from *corev1.Pod) {
	if !sameContainers(into.Spec.Containers, from.Spec.Containers) || !sameContainers(into.Spec.InitContainers, from.Spec.InitContainers) {
		into.Spec = from.Spec
		return
	}
	copyResources(into.Spec.Containers, from.Spec.Containers)
	copyResources(into.Spec.InitContainers, from.Spec.InitContainers)
	into.Spec.Resources = from.Spec.Resources
}

func sameContainers(a, b []corev1.Container) bool {
	return slices.EqualFunc(a, b, func(a, b corev1.Container) bool { return a.Name == b.Name })
}

func copyResources(into, from []corev1.Container) {
	for i := range into {
		into[i].Resources, into[i].ResizePolicy = from[i].Resources, from[i].ResizePolicy
	}
}
