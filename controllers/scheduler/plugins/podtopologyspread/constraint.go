// Package podtopologyspread spreads pods over the values of a node label.
package podtopologyspread

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// constraint is a spread constraint, parsed.
type constraint struct {
	key        string
	selector   labels.Selector
	maxSkew    int64
	minDomains int64
	// nodes says which nodes take part.
	nodes func(*corev1.Node) bool
	// self is 1 when the pod itself counts.
	self int64
}

// constraintsOf parses those of a pod that have the given effect.
func constraintsOf(pod *corev1.Pod, effect corev1.UnsatisfiableConstraintAction) ([]constraint, error) {
	var parsed []constraint
	for i := range pod.Spec.TopologySpreadConstraints {
		c := &pod.Spec.TopologySpreadConstraints[i]
		if c.WhenUnsatisfiable != effect {
			continue
		}
		selector, err := selectorOf(c, pod)
		if err != nil {
			return nil, fmt.Errorf("parsing spread constraint of pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		p := constraint{key: c.TopologyKey, selector: selector, maxSkew: int64(c.MaxSkew), minDomains: 1, nodes: included(c, pod)}
		if c.MinDomains != nil {
			p.minDomains = int64(*c.MinDomains)
		}
		if selector.Matches(labels.Set(pod.Labels)) {
			p.self = 1
		}
		parsed = append(parsed, p)
	}
	return parsed, nil
}

func selectorOf(c *corev1.TopologySpreadConstraint, pod *corev1.Pod) (labels.Selector, error) {
	selector, err := metav1.LabelSelectorAsSelector(c.LabelSelector)
	if err != nil {
		return nil, err
	}
	for _, key := range c.MatchLabelKeys {
		value, has := pod.Labels[key]
		if !has {
			continue
		}
		requirement, err := labels.NewRequirement(key, selection.In, []string{value})
		if err != nil {
			return nil, err
		}
		selector = selector.Add(*requirement)
	}
	return selector, nil
}

// included says which nodes a constraint counts: unless it says otherwise,
// those that the pod's node affinity allows, whatever their taints.
func included(c *corev1.TopologySpreadConstraint, pod *corev1.Pod) func(*corev1.Node) bool {
	affinity := c.NodeAffinityPolicy == nil || *c.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor
	taints := c.NodeTaintsPolicy != nil && *c.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor
	required := nodeaffinity.GetRequiredNodeAffinity(pod)
	return func(node *corev1.Node) bool {
		if affinity {
			if matches, err := required.Match(node); err != nil || !matches {
				return false
			}
		}
		if !taints {
			return true
		}
		_, untolerated := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, func(t *corev1.Taint) bool {
			return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
		}, true)
		return !untolerated
	}
}

// counts says whether a pod on a node is one of those to spread.
func (c *constraint) counts(pod *corev1.Pod, namespace string) bool {
	return pod.Namespace == namespace && pod.DeletionTimestamp == nil && c.selector.Matches(labels.Set(pod.Labels))
}

func (c *constraint) count(node *snapshot.Node, namespace string) int64 {
	var n int64
	for _, pod := range node.Pods {
		if c.counts(pod.Pod, namespace) {
			n++
		}
	}
	return n
}

func hasKeys(node *corev1.Node, constraints []constraint) bool {
	for i := range constraints {
		if _, has := node.Labels[constraints[i].key]; !has {
			return false
		}
	}
	return true
}
