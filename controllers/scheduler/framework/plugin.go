// Package framework says what a scheduling plugin is.
package framework

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// MaxScore is the best score that a plugin can give a node; the worst is 0.
const MaxScore int64 = 100

// Plugin has a say in where pods go, about one subject.
type Plugin interface {
	// Name is upstream's name for the plugin.
	Name() string
	// Interests lists what may make a pod schedulable that this plugin rejected.
	Interests() []Interest
	// Prepare looks at a pod once per attempt and returns what the plugin
	// has to say about nodes for it: the zero Opinion when nothing. Any
	// status but nil rejects the pod for all nodes.
	Prepare(pod *snapshot.Pod, nodes *snapshot.Snapshot) (Opinion, *Status)
}

// Opinion is what a plugin has to say about nodes for one pod, during one
// attempt to schedule it. Fields may be nil.
type Opinion struct {
	// Only names the nodes that can come into question.
	Only sets.Set[string]
	// Filter returns nil for a node that can run the pod. It is called
	// concurrently, at times with nodes that carry pods which the snapshot
	// does not have (or lack some): PodAdded and PodRemoved tell of these before.
	Filter func(node *snapshot.Node) *Status
	// PodAdded and PodRemoved keep what Filter has counted beyond the node it is asked about.
	PodAdded, PodRemoved func(pod *snapshot.Pod, node *snapshot.Node)
	// Score rates nodes that have passed all filters from 0 to MaxScore, in their order.
	Score func(feasible []*snapshot.Node) []int64
	// Reserve takes what the pod needs on the chosen node, in memory.
	Reserve func(node *snapshot.Node) *Status
	// Unreserve gives it back. It is safe without a Reserve before it.
	Unreserve func()
	// BeforeBinding writes and waits for what must be so before the pod is bound.
	BeforeBinding func(ctx context.Context, node *corev1.Node) error
}

// Weighted is a plugin and how much its scores count.
type Weighted struct {
	Plugin
	Weight int64
}
