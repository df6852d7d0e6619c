package interpodaffinity

import (
	"math"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// requiredWeight is what a running pod's required affinity to the pod counts for it.
const requiredWeight = 1

func prefers(pod *snapshot.Pod) bool {
	return len(pod.PreferredAffinity)+len(pod.PreferredAntiAffinity) > 0
}

// score adds up the weights of all terms that hold at a node, of the pod and of those that run.
func (p *Plugin) score(pod *snapshot.Pod, nodes *snapshot.Snapshot, feasible []*snapshot.Node) []int64 {
	relevant := nodes.Affine
	if prefers(pod) {
		relevant = nodes.Nodes
	}
	sums := map[string]map[string]int64{} // by label and value
	known := p.remembering()
	own := known.labelsOf(pod.Namespace)
	for _, node := range relevant {
		for _, other := range node.Pods {
			addPair(sums, node, pod, other, own, known.labelsOf(other.Namespace))
		}
	}
	scores := make([]int64, len(feasible))
	if len(sums) == 0 {
		return scores
	}
	for i, node := range feasible {
		for key, values := range sums {
			if value, has := node.Labels[key]; has {
				scores[i] += values[value]
			}
		}
	}
	return stretch(scores)
}

func addPair(sums map[string]map[string]int64, node *snapshot.Node, pod, other *snapshot.Pod, own, its labels.Set) {
	count := func(term *snapshot.Term, means bool, weight int64) {
		if value, has := node.Labels[term.TopologyKey]; has && means {
			if sums[term.TopologyKey] == nil {
				sums[term.TopologyKey] = map[string]int64{}
			}
			sums[term.TopologyKey][value] += weight
		}
	}
	for i := range pod.PreferredAffinity {
		term := &pod.PreferredAffinity[i]
		count(&term.Term, term.Matches(other.Pod, its), term.Weight)
	}
	for i := range pod.PreferredAntiAffinity {
		term := &pod.PreferredAntiAffinity[i]
		count(&term.Term, term.Matches(other.Pod, its), -term.Weight)
	}
	for i := range other.RequiredAffinity {
		term := &other.RequiredAffinity[i]
		count(term, term.Matches(pod.Pod, own), requiredWeight)
	}
	for i := range other.PreferredAffinity {
		term := &other.PreferredAffinity[i]
		count(&term.Term, term.Matches(pod.Pod, own), term.Weight)
	}
	for i := range other.PreferredAntiAffinity {
		term := &other.PreferredAntiAffinity[i]
		count(&term.Term, term.Matches(pod.Pod, own), -term.Weight)
	}
}

// stretch maps scores, which may be negative, to 0..MaxScore.
func stretch(scores []int64) []int64 {
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for _, score := range scores {
		least, most = min(least, score), max(most, score)
	}
	for i := range scores {
		if most == least {
			scores[i] = 0
			continue
		}
		scores[i] = int64(float64(framework.MaxScore) * float64(scores[i]-least) / float64(most-least))
	}
	return scores
}
