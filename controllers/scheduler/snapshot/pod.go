package snapshot

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
)

// Pod is a pod and what scheduling derives from it once. It is read only,
// and so is the object that it holds.
type Pod struct {
	*corev1.Pod
	Requests Resources
	// NonZero is Requests with a default for containers without a request.
	NonZero  Resources
	Priority int32

	RequiredAffinity      []Term
	RequiredAntiAffinity  []Term
	PreferredAffinity     []WeightedTerm
	PreferredAntiAffinity []WeightedTerm
}

// Term is a pod affinity term, parsed.
type Term struct {
	TopologyKey       string
	Namespaces        sets.Set[string]
	NamespaceSelector labels.Selector
	Selector          labels.Selector
}

// WeightedTerm is a preferred pod affinity term.
type WeightedTerm struct {
	Term
	Weight int64
}

// NewPod derives what scheduling needs of a pod. The error says which
// affinity term is malformed; the Pod is then usable without that term.
func NewPod(pod *corev1.Pod) (*Pod, error) {
	p := &Pod{Pod: pod, Priority: corev1helpers.PodPriority(pod)}
	p.Requests, p.NonZero = requestsOf(pod)
	affinity := pod.Spec.Affinity
	if affinity == nil {
		return p, nil
	}
	parse := termParser{pod: pod}
	if a := affinity.PodAffinity; a != nil {
		p.RequiredAffinity = parse.required(a.RequiredDuringSchedulingIgnoredDuringExecution)
		p.PreferredAffinity = parse.preferred(a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		p.RequiredAntiAffinity = parse.required(a.RequiredDuringSchedulingIgnoredDuringExecution)
		p.PreferredAntiAffinity = parse.preferred(a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return p, parse.err
}

// Matches says whether a term means the pod, whose namespace has the given labels.
func (t *Term) Matches(pod *corev1.Pod, namespaceLabels labels.Set) bool {
	if !t.Namespaces.Has(pod.Namespace) && !t.NamespaceSelector.Matches(namespaceLabels) {
		return false
	}
	return t.Selector.Matches(labels.Set(pod.Labels))
}

type termParser struct {
	pod *corev1.Pod
	err error
}

func (p *termParser) required(terms []corev1.PodAffinityTerm) []Term {
	parsed := make([]Term, 0, len(terms))
	for i := range terms {
		if term, err := p.term(&terms[i]); err != nil {
			p.err = err
		} else {
			parsed = append(parsed, term)
		}
	}
	return parsed
}

func (p *termParser) preferred(terms []corev1.WeightedPodAffinityTerm) []WeightedTerm {
	parsed := make([]WeightedTerm, 0, len(terms))
	for i := range terms {
		if term, err := p.term(&terms[i].PodAffinityTerm); err != nil {
			p.err = err
		} else {
			parsed = append(parsed, WeightedTerm{Term: term, Weight: int64(terms[i].Weight)})
		}
	}
	return parsed
}

func (p *termParser) term(term *corev1.PodAffinityTerm) (Term, error) {
	parsed := Term{TopologyKey: term.TopologyKey, Namespaces: sets.New(term.Namespaces...)}
	var err error
	if parsed.Selector, err = metav1.LabelSelectorAsSelector(term.LabelSelector); err != nil {
		return parsed, fmt.Errorf("parsing affinity selector of pod %s/%s: %w", p.pod.Namespace, p.pod.Name, err)
	}
	if parsed.NamespaceSelector, err = metav1.LabelSelectorAsSelector(term.NamespaceSelector); err != nil {
		return parsed, fmt.Errorf("parsing affinity namespace selector of pod %s/%s: %w", p.pod.Namespace, p.pod.Name, err)
	}
	if len(term.Namespaces) == 0 && term.NamespaceSelector == nil {
		parsed.Namespaces.Insert(p.pod.Namespace)
	}
	return parsed, nil
}
