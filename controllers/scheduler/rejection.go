package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
)

// rejection is the error of a pod that fits no node: why, node by node.
type rejection struct {
	// nodes is how many nodes there are.
	nodes int
	// whole is set when a plugin rejected the pod for all nodes.
	whole *framework.Status
	// byNode has the reasons of the nodes that were looked at, onlyBy the
	// plugins that kept the others from being looked at.
	byNode map[string]*framework.Status
	onlyBy []string
	// plugins are those that rejected besides the statuses' own.
	plugins sets.Set[string]
	// preemption is what came of the attempt to make room, nominee the node
	// where room is being made. Settled says that the nominee before is void.
	preemption string
	nominee    string
	settled    bool
}

// Error tells it in one sentence per step, reasons with the number of nodes
// they hold for.
func (r *rejection) Error() string {
	message := fmt.Sprintf("0/%d nodes are available:", r.nodes)
	if r.whole != nil {
		message += " " + r.whole.String() + "."
	} else if reasons := r.histogram(); len(reasons) > 0 {
		message += " " + strings.Join(reasons, ", ") + "."
	}
	if r.preemption != "" {
		message += " " + r.preemption
	}
	return message
}

func (r *rejection) histogram() []string {
	counts := map[string]int{}
	for _, status := range r.byNode {
		for _, reason := range status.Reasons {
			counts[reason]++
		}
	}
	if absent := r.nodes - len(r.byNode); absent > 0 && len(r.onlyBy) > 0 {
		counts["node(s) didn't satisfy plugin(s) "+bracketed(r.onlyBy)] += absent
	}
	lines := make([]string, 0, len(counts))
	for reason, count := range counts {
		lines = append(lines, fmt.Sprintf("%d %s", count, reason))
	}
	slices.Sort(lines)
	return lines
}

// rejecters are the plugins whose events may make the pod fit.
func (r *rejection) rejecters() sets.Set[string] {
	plugins := sets.New[string]().Union(r.plugins)
	if r.whole != nil && r.whole.Plugin != "" {
		plugins.Insert(r.whole.Plugin)
	}
	for _, status := range r.byNode {
		plugins.Insert(status.Plugin)
	}
	if len(r.byNode) < r.nodes {
		plugins.Insert(r.onlyBy...)
	}
	return plugins
}

func bracketed(names []string) string { return "[" + strings.Join(names, " ") + "]" }
