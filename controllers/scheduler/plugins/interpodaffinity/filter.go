// Package interpodaffinity places pods near or away from others.
package interpodaffinity

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var (
	notNear    = framework.Reject(framework.Unresolvable, "node(s) didn't match pod affinity rules")
	tooNear    = framework.Reject(framework.Unschedulable, "node(s) didn't match pod anti-affinity rules")
	notWelcome = framework.Reject(framework.Unschedulable, "node(s) didn't satisfy existing pods anti-affinity rules")
)

// Plugin matches pods' affinity terms with other pods, in both directions.
type Plugin struct{ namespaces corelisters.NamespaceLister }

// New returns a plugin that knows namespaces' labels.
func New(factory informers.SharedInformerFactory) *Plugin {
	return &Plugin{namespaces: factory.Core().V1().Namespaces().Lister()}
}

// Name is the plugin's name upstream.
func (*Plugin) Name() string { return "InterPodAffinity" }

// Interests are pods that come or go and matter to the pod, and nodes with the labels in question.
func (p *Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.PodAssigned | framework.PodLabelsChanged | framework.PodRemoved, Helps: p.podHelps},
		{Actions: framework.NodeAdded | framework.NodeLabelsChanged},
		{Actions: framework.SelfChanged | framework.NamespaceChanged},
	}
}

// podHelps: one that comes may be a wanted neighbour, one that goes an
// unwanted one or may have kept this pod away itself.
func (p *Plugin) podHelps(object *corev1.Pod, event framework.Event) bool {
	pod, err := snapshot.NewPod(object)
	if err != nil {
		return true
	}
	if other, ok := event.New.(*corev1.Pod); ok && p.matchesAny(pod.RequiredAffinity, other) {
		return true
	}
	gone, ok := event.Old.(*corev1.Pod)
	if !ok {
		return false
	}
	if p.matchesAny(pod.RequiredAntiAffinity, gone) {
		return true
	}
	was, err := snapshot.NewPod(gone)
	return err != nil || event.New == nil && p.matchesAny(was.RequiredAntiAffinity, object)
}

func (p *Plugin) matchesAny(terms []snapshot.Term, pod *corev1.Pod) bool {
	for i := range terms {
		if terms[i].Matches(pod, p.labelsOf(pod.Namespace)) {
			return true
		}
	}
	return false
}

// labelsOf are a namespace's labels: none while it is not known.
func (p *Plugin) labelsOf(namespace string) labels.Set {
	if object, err := p.namespaces.Get(namespace); err == nil {
		return object.Labels
	}
	return nil
}

// namespaces are those that were asked for during one attempt, as it asks for the same ones for every pod.
type namespaces struct {
	plugin *Plugin
	labels map[string]labels.Set
}

func (p *Plugin) remembering() *namespaces {
	return &namespaces{plugin: p, labels: map[string]labels.Set{}}
}

func (n *namespaces) labelsOf(namespace string) labels.Set {
	found, asked := n.labels[namespace]
	if !asked {
		found = n.plugin.labelsOf(namespace)
		n.labels[namespace] = found
	}
	return found
}

// Prepare rejects nodes by required terms, of the pod and of those that run, and scores them by preferred ones.
func (p *Plugin) Prepare(pod *snapshot.Pod, nodes *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	var opinion framework.Opinion
	if f := p.newFilter(pod, nodes); f != nil {
		opinion.Filter = f.filter
		opinion.PodAdded = func(other *snapshot.Pod, node *snapshot.Node) { f.count(other, node, 1) }
		opinion.PodRemoved = func(other *snapshot.Pod, node *snapshot.Node) { f.count(other, node, -1) }
	}
	if prefers(pod) || len(nodes.Affine) > 0 {
		opinion.Score = func(feasible []*snapshot.Node) []int64 { return p.score(pod, nodes, feasible) }
	}
	return opinion, nil
}

// place is a label value of nodes.
type place struct{ key, value string }

// filter counts, for each place, the pods that matter for one pod.
type filter struct {
	namespaces *namespaces
	pod        *snapshot.Pod
	own        labels.Set
	// near are those that all of the pod's affinity terms mean, away those
	// that an anti-affinity term means, against those whose own anti-affinity means the pod.
	near, away, against map[place]int
	// keys are the labels that against is about.
	keys []string
}

func (p *Plugin) newFilter(pod *snapshot.Pod, nodes *snapshot.Snapshot) *filter {
	demanding := len(pod.RequiredAffinity)+len(pod.RequiredAntiAffinity) > 0
	if !demanding && len(nodes.AntiAffine) == 0 {
		return nil
	}
	known := p.remembering()
	f := &filter{namespaces: known, pod: pod, own: known.labelsOf(pod.Namespace), near: map[place]int{}, away: map[place]int{}, against: map[place]int{}}
	relevant := nodes.AntiAffine
	if demanding {
		relevant = nodes.Nodes
	}
	for _, node := range relevant {
		for _, other := range node.Pods {
			f.count(other, node, 1)
		}
	}
	return f
}

func (f *filter) count(other *snapshot.Pod, node *snapshot.Node, by int) {
	for i := range other.RequiredAntiAffinity {
		if term := &other.RequiredAntiAffinity[i]; term.Matches(f.pod.Pod, f.own) {
			add(f.against, node, term.TopologyKey, by)
			if !slices.Contains(f.keys, term.TopologyKey) {
				f.keys = append(f.keys, term.TopologyKey)
			}
		}
	}
	if len(f.pod.RequiredAffinity) > 0 && f.meansAll(other.Pod) {
		for i := range f.pod.RequiredAffinity {
			add(f.near, node, f.pod.RequiredAffinity[i].TopologyKey, by)
		}
	}
	for i := range f.pod.RequiredAntiAffinity {
		if term := &f.pod.RequiredAntiAffinity[i]; term.Matches(other.Pod, f.namespaces.labelsOf(other.Namespace)) {
			add(f.away, node, term.TopologyKey, by)
		}
	}
}

func add(counts map[place]int, node *snapshot.Node, key string, by int) {
	value, has := node.Labels[key]
	if !has {
		return
	}
	at := place{key, value}
	if counts[at] += by; counts[at] == 0 {
		delete(counts, at)
	}
}

// meansAll says whether all of the pod's affinity terms mean another.
func (f *filter) meansAll(other *corev1.Pod) bool {
	namespace := f.namespaces.labelsOf(other.Namespace)
	for i := range f.pod.RequiredAffinity {
		if !f.pod.RequiredAffinity[i].Matches(other, namespace) {
			return false
		}
	}
	return true
}

func (f *filter) filter(node *snapshot.Node) *framework.Status {
	if !f.isNear(node) {
		return notNear
	}
	for i := range f.pod.RequiredAntiAffinity {
		key := f.pod.RequiredAntiAffinity[i].TopologyKey
		if value, has := node.Labels[key]; has && f.away[place{key, value}] > 0 {
			return tooNear
		}
	}
	for _, key := range f.keys {
		if value, has := node.Labels[key]; has && f.against[place{key, value}] > 0 {
			return notWelcome
		}
	}
	return nil
}

// isNear says whether the pods that are wanted near are. The first of a group
// that wants to be together may go anywhere.
func (f *filter) isNear(node *snapshot.Node) bool {
	found := true
	for i := range f.pod.RequiredAffinity {
		key := f.pod.RequiredAffinity[i].TopologyKey
		value, has := node.Labels[key]
		if !has {
			return false
		}
		found = found && f.near[place{key, value}] > 0
	}
	return found || len(f.near) == 0 && f.meansAll(f.pod.Pod)
}
