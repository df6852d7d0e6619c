package podtopologyspread

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var (
	tooMany = framework.Reject(framework.Unschedulable, "node(s) didn't match pod topology spread constraints")
	noLabel = framework.Reject(framework.Unresolvable, "node(s) didn't match pod topology spread constraints (missing required label)")
)

// Plugin counts pods by label value.
type Plugin struct {
	services     corelisters.ServiceLister
	controllers  corelisters.ReplicationControllerLister
	replicaSets  appslisters.ReplicaSetLister
	statefulSets appslisters.StatefulSetLister
}

// New returns a plugin that finds a pod's like by its Services and owner.
func New(factory informers.SharedInformerFactory) *Plugin {
	return &Plugin{
		services:     factory.Core().V1().Services().Lister(),
		controllers:  factory.Core().V1().ReplicationControllers().Lister(),
		replicaSets:  factory.Apps().V1().ReplicaSets().Lister(),
		statefulSets: factory.Apps().V1().StatefulSets().Lister(),
	}
}

// Name is the plugin's name upstream.
func (*Plugin) Name() string { return "PodTopologySpread" }

// Interests are pods of the same kind that come or go, and nodes with the labels in question.
func (*Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.PodAssigned | framework.PodRemoved | framework.PodLabelsChanged, Helps: podHelps},
		{Actions: framework.NodeAdded | framework.NodeRemoved | framework.NodeLabelsChanged | framework.NodeTaintsChanged, Helps: nodeHelps},
		{Actions: framework.SelfChanged},
	}
}

func podHelps(pod *corev1.Pod, event framework.Event) bool {
	constraints, err := constraintsOf(pod, corev1.DoNotSchedule)
	if err != nil {
		return true
	}
	for i := range constraints {
		for _, object := range []any{event.Old, event.New} {
			if other, ok := object.(*corev1.Pod); ok && other.Namespace == pod.Namespace && constraints[i].selector.Matches(labelsOf(other)) {
				return true
			}
		}
	}
	return false
}

func nodeHelps(pod *corev1.Pod, event framework.Event) bool {
	constraints, err := constraintsOf(pod, corev1.DoNotSchedule)
	if err != nil {
		return true
	}
	for _, object := range []any{event.Old, event.New} {
		if node, ok := object.(*corev1.Node); ok && hasKeys(node, constraints) {
			return true
		}
	}
	return false
}

// Prepare rejects nodes where the pod would make the spread too uneven, and
// scores nodes by how even it would be.
func (p *Plugin) Prepare(pod *snapshot.Pod, nodes *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	hard, err := constraintsOf(pod.Pod, corev1.DoNotSchedule)
	if err != nil {
		return framework.Opinion{}, framework.Fail(err)
	}
	soft, needAll, err := p.softConstraints(pod.Pod)
	if err != nil {
		return framework.Opinion{}, framework.Fail(err)
	}
	var opinion framework.Opinion
	if len(hard) > 0 {
		s := newSpread(pod.Namespace, hard, nodes)
		opinion.Filter = s.filter
		opinion.PodAdded = func(pod *snapshot.Pod, node *snapshot.Node) { s.change(pod, node, 1) }
		opinion.PodRemoved = func(pod *snapshot.Pod, node *snapshot.Node) { s.change(pod, node, -1) }
	}
	if len(soft) > 0 {
		opinion.Score = func(feasible []*snapshot.Node) []int64 {
			return score(pod.Namespace, soft, needAll, feasible, nodes)
		}
	}
	return opinion, nil
}

// spread has the number of pods to spread for each value of each constraint's label.
type spread struct {
	namespace   string
	constraints []constraint
	counts      []tally
}

func newSpread(namespace string, constraints []constraint, nodes *snapshot.Snapshot) *spread {
	s := &spread{namespace: namespace, constraints: constraints, counts: make([]tally, len(constraints))}
	for _, node := range nodes.Nodes {
		if !hasKeys(node.Node, constraints) {
			continue
		}
		for i := range constraints {
			if constraints[i].nodes(node.Node) {
				s.counts[i].add(node.Labels[constraints[i].key], constraints[i].count(node, namespace))
			}
		}
	}
	return s
}

func (s *spread) change(pod *snapshot.Pod, node *snapshot.Node, by int64) {
	if !hasKeys(node.Node, s.constraints) {
		return
	}
	for i := range s.constraints {
		if s.constraints[i].nodes(node.Node) && s.constraints[i].counts(pod.Pod, s.namespace) {
			s.counts[i].add(node.Labels[s.constraints[i].key], by)
		}
	}
}

func (s *spread) filter(node *snapshot.Node) *framework.Status {
	for i := range s.constraints {
		c := &s.constraints[i]
		value, has := node.Labels[c.key]
		if !has {
			return noLabel
		}
		if s.counts[i].of[value]+c.self-s.least(i) > c.maxSkew {
			return tooMany
		}
	}
	return nil
}

// least is the smallest count: 0 while there are too few values.
func (s *spread) least(i int) int64 {
	if int64(len(s.counts[i].of)) < s.constraints[i].minDomains {
		return 0
	}
	return s.counts[i].least
}
