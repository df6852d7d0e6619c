package podtopologyspread

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func labelsOf(pod *corev1.Pod) labels.Set { return pod.Labels }

// softConstraints are the pod's own, or for a pod without any, those that
// spread it among its like by node and zone. Own ones leave out nodes
// that lack one of the labels (needAll).
func (p *Plugin) softConstraints(pod *corev1.Pod) (constraints []constraint, needAll bool, err error) {
	if len(pod.Spec.TopologySpreadConstraints) > 0 {
		constraints, err = constraintsOf(pod, corev1.ScheduleAnyway)
		return constraints, true, err
	}
	selector := p.like(pod)
	if selector == nil || selector.Empty() {
		return nil, false, nil
	}
	nodes := included(&corev1.TopologySpreadConstraint{}, pod)
	return []constraint{
		{key: corev1.LabelHostname, maxSkew: 3, selector: selector, nodes: nodes},
		{key: corev1.LabelTopologyZone, maxSkew: 5, selector: selector, nodes: nodes},
	}, false, nil
}

// like selects the pods that belong with this one: by the Services that select it and by its owner.
func (p *Plugin) like(pod *corev1.Pod) labels.Selector {
	merged := labels.Set{}
	services, err := p.services.Services(pod.Namespace).List(labels.Everything())
	if err == nil {
		for _, service := range services {
			if selector := labels.Set(service.Spec.Selector); len(selector) > 0 && selector.AsSelectorPreValidated().Matches(labelsOf(pod)) {
				merged = labels.Merge(merged, selector)
			}
		}
	}
	var owners *metav1.LabelSelector
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		switch owner.Kind {
		case "ReplicationController":
			if controller, err := p.controllers.ReplicationControllers(pod.Namespace).Get(owner.Name); err == nil {
				merged = labels.Merge(merged, controller.Spec.Selector)
			}
		case "ReplicaSet":
			if set, err := p.replicaSets.ReplicaSets(pod.Namespace).Get(owner.Name); err == nil {
				owners = set.Spec.Selector
			}
		case "StatefulSet":
			if set, err := p.statefulSets.StatefulSets(pod.Namespace).Get(owner.Name); err == nil {
				owners = set.Spec.Selector
			}
		}
	}
	selector := labels.NewSelector()
	if len(merged) > 0 {
		selector = merged.AsSelectorPreValidated()
	}
	if owners != nil {
		if own, err := metav1.LabelSelectorAsSelector(owners); err == nil {
			requirements, _ := own.Requirements()
			selector = selector.Add(requirements...)
		}
	}
	return selector
}

// score gives the most to nodes whose label values have the fewest pods. A
// label with many values weighs more, as each of its counts is small.
func score(namespace string, constraints []constraint, needAll bool, feasible []*snapshot.Node, all *snapshot.Snapshot) []int64 {
	taking := make([]bool, len(feasible))
	var size int
	for i, node := range feasible {
		if taking[i] = !needAll || hasKeys(node.Node, constraints); taking[i] {
			size++
		}
	}
	raw := make([]float64, len(feasible))
	for i := range constraints {
		c := &constraints[i]
		counts := map[string]int64{}
		if c.key != corev1.LabelHostname {
			counts = c.byValue(namespace, constraints, needAll, feasible, taking, all)
		}
		weight := math.Log(float64(len(counts) + 2))
		if c.key == corev1.LabelHostname {
			weight = math.Log(float64(size + 2))
		}
		for j, node := range feasible {
			value, has := node.Labels[c.key]
			if !taking[j] || !has {
				continue
			}
			count := counts[value]
			if c.key == corev1.LabelHostname {
				count = c.count(node, namespace)
			}
			raw[j] += float64(count)*weight + float64(c.maxSkew-1)
		}
	}
	return normalize(raw, taking)
}

// byValue counts the pods for each value of the label that a feasible node has.
func (c *constraint) byValue(namespace string, constraints []constraint, needAll bool, feasible []*snapshot.Node, taking []bool, all *snapshot.Snapshot) map[string]int64 {
	counts := map[string]int64{}
	for i, node := range feasible {
		if taking[i] {
			counts[node.Labels[c.key]] = 0
		}
	}
	for _, node := range all.Nodes {
		// What lacks the label is scored by none, and need not be counted.
		value, has := node.Labels[c.key]
		if _, wanted := counts[value]; !wanted || !has || needAll && !hasKeys(node.Node, constraints) || !c.nodes(node.Node) {
			continue
		}
		counts[value] += c.count(node, namespace)
	}
	return counts
}

func normalize(raw []float64, taking []bool) []int64 {
	scores := make([]int64, len(raw))
	least, most := int64(math.MaxInt64), int64(0)
	for i := range raw {
		if scores[i] = int64(math.Round(raw[i])); taking[i] {
			least, most = min(least, scores[i]), max(most, scores[i])
		}
	}
	for i := range scores {
		switch {
		case !taking[i]:
			scores[i] = 0
		case most == 0:
			scores[i] = framework.MaxScore
		default:
			scores[i] = framework.MaxScore * (most + least - scores[i]) / most
		}
	}
	return scores
}
