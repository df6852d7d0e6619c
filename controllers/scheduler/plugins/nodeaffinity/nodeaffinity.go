// Package nodeaffinity matches pods' node selectors and node affinity.
package nodeaffinity

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var (
	mismatch = framework.Reject(framework.Unresolvable, "node(s) didn't match Pod's node affinity/selector")
	conflict = framework.Reject(framework.Unresolvable, "pod affinity terms conflict")
)

// Plugin matches nodes' labels and names.
type Plugin struct{}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "NodeAffinity" }

// Interests are nodes that come to match.
func (Plugin) Interests() []framework.Interest {
	return []framework.Interest{{Actions: framework.NodeAdded | framework.NodeLabelsChanged, Helps: func(pod *corev1.Pod, event framework.Event) bool {
		node, ok := event.New.(*corev1.Node)
		if !ok {
			return false
		}
		matches, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node)
		return err != nil || matches
	}}}
}

// Prepare rejects nodes that the pod's required terms do not match, and
// scores them by the preferred ones.
func (Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	var opinion framework.Opinion
	required := requiredTerms(pod.Pod)
	if required != nil || len(pod.Spec.NodeSelector) > 0 {
		affinity := nodeaffinity.GetRequiredNodeAffinity(pod.Pod)
		opinion.Filter = func(node *snapshot.Node) *framework.Status {
			if matches, err := affinity.Match(node.Node); err != nil || !matches {
				return mismatch
			}
			return nil
		}
	}
	if required != nil {
		only, restricted := namesOf(required.NodeSelectorTerms)
		if restricted && only.Len() == 0 {
			return opinion, conflict
		}
		if restricted {
			opinion.Only = only
		}
	}
	preferred, err := preferredTerms(pod.Pod)
	if err != nil {
		return opinion, framework.Fail(err)
	}
	if preferred != nil {
		opinion.Score = func(feasible []*snapshot.Node) []int64 {
			scores := make([]int64, len(feasible))
			for i, node := range feasible {
				scores[i] = preferred.Score(node.Node)
			}
			return framework.Spread(scores, false)
		}
	}
	return opinion, nil
}

func requiredTerms(pod *corev1.Pod) *corev1.NodeSelector {
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil {
		return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return nil
}

func preferredTerms(pod *corev1.Pod) (*nodeaffinity.PreferredSchedulingTerms, error) {
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 0 {
		return nil, nil
	}
	terms, err := nodeaffinity.NewPreferredSchedulingTerms(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	if err != nil {
		return nil, fmt.Errorf("parsing preferred node affinity of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return terms, nil
}

// namesOf returns the nodes that terms name, when every term names some: a
// daemon's pod then costs one node's check, not all nodes'.
func namesOf(terms []corev1.NodeSelectorTerm) (names sets.Set[string], restricted bool) {
	if len(terms) == 0 {
		return nil, false
	}
	names = sets.New[string]()
	for _, term := range terms {
		var named sets.Set[string]
		for _, field := range term.MatchFields {
			if field.Key != metav1.ObjectNameField || field.Operator != corev1.NodeSelectorOpIn {
				continue
			}
			if named == nil {
				named = sets.New(field.Values...)
			} else {
				named = named.Intersection(sets.New(field.Values...))
			}
		}
		if named == nil {
			return nil, false
		}
		names = names.Union(named)
	}
	return names, true
}
