package daemon

import (
	"cmp"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
)

// observation is a DaemonSet with its Nodes and Pods.
type observation struct {
	ds    *appsv1.DaemonSet
	nodes []corev1.Node
	// pods are by the Node that they are on or meant for, but for those that are deleted and finished.
	pods map[string][]*corev1.Pod
	// hash names the current template.
	hash string
	now  time.Time
	// places is where the DaemonSet belongs, judged once: by Node, with desired of them to run on, and the strategy's bounds.
	places                   map[string]place
	desired                  int
	maxSurge, maxUnavailable int
}

// place is what the DaemonSet has to do with a Node.
type place struct{ run, stay bool }

// judged returns the observation with its places, which all that follows asks for again and again.
func (o observation) judged() observation {
	if o.places != nil {
		return o
	}
	o.places = make(map[string]place, len(o.nodes))
	j := newJudge(o.ds)
	for i := range o.nodes {
		run, stay := j.belongs(&o.nodes[i])
		o.places[o.nodes[i].Name] = place{run, stay}
		if run {
			o.desired++
		}
	}
	o.maxSurge = o.scaled(func(r *appsv1.RollingUpdateDaemonSet) *intstr.IntOrString { return r.MaxSurge })
	o.maxUnavailable = o.scaled(func(r *appsv1.RollingUpdateDaemonSet) *intstr.IntOrString { return r.MaxUnavailable })
	if o.maxUnavailable == 0 && o.maxSurge == 0 {
		o.maxUnavailable = 1 // or else nothing could ever move
	}
	return o
}

// plan is what one reconciliation does.
type plan struct {
	create []string
	remove []*corev1.Pod
	// ended are Pods that stopped by themselves: they are removed too, failed ones not too often.
	ended []*corev1.Pod
}

func (p *plan) empty() bool { return len(p.create)+len(p.remove) == 0 }

// decide sees to it that there is one Pod on every Node that should have one. Only where that is so, it moves a
// rolling update on.
func decide(o observation) plan {
	var p plan
	o = o.judged()
	for i := range o.nodes {
		o.placeOn(o.nodes[i].Name, &p)
	}
	for node, pods := range o.pods {
		for _, pod := range pods {
			if _, known := o.places[node]; pod.Spec.NodeName == "" && !known && pod.DeletionTimestamp == nil {
				p.remove = append(p.remove, pod)
			}
		}
	}
	if p.empty() && o.ds.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		o.roll(&p)
	}
	return p
}

func (o observation) placeOn(node string, p *plan) {
	place := o.places[node]
	pods, exist := o.pods[node]
	switch {
	case place.run && !exist:
		p.create = append(p.create, node)
	case !place.stay:
		p.remove = append(p.remove, living(pods)...)
	default:
		var running []*corev1.Pod
		for _, pod := range living(pods) {
			if core.PodTerminal(pod) {
				p.ended = append(p.ended, pod)
				continue
			}
			running = append(running, pod)
		}
		slices.SortFunc(running, byAge)
		o.thin(running, p)
		if len(running) == 0 && place.run && o.maxSurge > 0 && len(p.ended) == 0 {
			p.create = append(p.create, node)
		}
	}
}

// thin removes what is more than one Pod, or while surging, more than one of each template.
func (o observation) thin(running []*corev1.Pod, p *plan) {
	if o.maxSurge == 0 {
		if len(running) > 1 {
			p.remove = append(p.remove, running[1:]...)
		}
		return
	}
	var old, updated *corev1.Pod
	for _, pod := range running {
		switch {
		case o.isUpdated(pod) && updated == nil:
			updated = pod
		case !o.isUpdated(pod) && old == nil:
			old = pod
		default:
			p.remove = append(p.remove, pod)
		}
	}
	if old != nil && updated != nil && (!core.PodReady(old) || o.available(updated)) {
		p.remove = append(p.remove, old)
	}
}

func living(pods []*corev1.Pod) []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

// byAge puts scheduled Pods first, then older ones.
func byAge(a, b *corev1.Pod) int {
	scheduled := func(pod *corev1.Pod) int {
		if pod.Spec.NodeName != "" {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(scheduled(a), scheduled(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

func (o observation) isUpdated(pod *corev1.Pod) bool {
	if generation, ok := o.ds.Annotations[appsv1.DeprecatedTemplateGeneration]; ok && pod.Labels["pod-template-generation"] == generation {
		return true
	}
	return o.hash != "" && pod.Labels[appsv1.ControllerRevisionHashLabelKey] == o.hash
}

func (o observation) available(pod *corev1.Pod) bool {
	return core.PodAvailable(pod, o.ds.Spec.MinReadySeconds, o.now)
}

func (o observation) scaled(bound func(*appsv1.RollingUpdateDaemonSet) *intstr.IntOrString) int {
	strategy := o.ds.Spec.UpdateStrategy
	if strategy.Type != appsv1.RollingUpdateDaemonSetStrategyType || strategy.RollingUpdate == nil {
		return 0
	}
	value := bound(strategy.RollingUpdate)
	if value == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, o.desired, true)
	if err != nil {
		return 0
	}
	return n
}

// roll replaces Pods of old templates within the strategy's bounds. Pods that are not available anyway come first, and
// do not count.
func (o observation) roll(p *plan) {
	if o.maxSurge > 0 {
		o.surge(p)
		return
	}
	unavailable := 0
	var candidates []*corev1.Pod
	for _, node := range o.everyNode() {
		old, updated, ok := o.pair(node)
		switch {
		case !ok || (old == nil) == (updated == nil):
			unavailable++
		case updated != nil:
			if !o.available(updated) {
				unavailable++
			}
		case !o.available(old):
			unavailable++
			p.remove = append(p.remove, old)
		default:
			candidates = append(candidates, old)
		}
	}
	room := max(0, o.maxUnavailable-unavailable)
	p.remove = append(p.remove, candidates[:min(room, len(candidates))]...)
}

// surge creates new Pods beside old ones. On Nodes that should have none any more, those that work stay until as many
// work elsewhere.
func (o observation) surge(p *plan) {
	surging, working := 0, 0
	var candidates []string
	var leaving []*corev1.Pod
	for _, node := range o.everyNode() {
		old, updated, ok := o.pair(node)
		if first := cmp.Or(old, updated); ok && first != nil && o.available(first) {
			working++
		}
		switch {
		case !ok:
			surging++
		case old == nil:
		case updated == nil && !o.runsOn(node) && o.available(old):
			leaving = append(leaving, old)
		case updated == nil && !o.runsOn(node):
			p.remove = append(p.remove, old)
		case updated == nil && !o.available(old):
			p.create = append(p.create, node)
		case updated == nil:
			candidates = append(candidates, node)
		case !o.available(updated):
			surging++
		default:
			p.remove = append(p.remove, old)
		}
	}
	spare := max(0, working-o.desired)
	p.remove = append(p.remove, leaving[:min(spare, len(leaving))]...)
	room := max(0, o.maxSurge-surging)
	p.create = append(p.create, candidates[:min(room, len(candidates))]...)
}

// everyNode names the Nodes with Pods, and those that should have one, in order.
func (o observation) everyNode() []string {
	names := map[string]bool{}
	for node := range o.pods {
		names[node] = true
	}
	for node, place := range o.places {
		if place.run {
			names[node] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (o observation) runsOn(node string) bool { return o.places[node].run }

// pair returns the Pods of old and current templates on a Node; ok is false if there are several of one kind.
func (o observation) pair(node string) (old, updated *corev1.Pod, ok bool) {
	for _, pod := range living(o.pods[node]) {
		into := &old
		if o.isUpdated(pod) {
			into = &updated
		}
		if *into != nil {
			return nil, nil, false
		}
		*into = pod
	}
	return old, updated, true
}

// status counts Nodes, by the first Pod on each.
func (o observation) status() appsv1.DaemonSetStatus {
	o = o.judged()
	s := appsv1.DaemonSetStatus{
		ObservedGeneration: o.ds.Generation, CollisionCount: o.ds.Status.CollisionCount, Conditions: o.ds.Status.Conditions,
	}
	for node, place := range o.places {
		pods := slices.Clone(o.pods[node])
		if !place.run {
			s.NumberMisscheduled += int32(min(1, len(pods)))
			continue
		}
		s.DesiredNumberScheduled++
		if len(pods) == 0 {
			continue
		}
		s.CurrentNumberScheduled++
		slices.SortFunc(pods, byAge)
		if core.PodReady(pods[0]) {
			s.NumberReady++
		}
		if o.available(pods[0]) {
			s.NumberAvailable++
		}
		if o.isUpdated(pods[0]) {
			s.UpdatedNumberScheduled++
		}
	}
	s.NumberUnavailable = s.DesiredNumberScheduled - s.NumberAvailable
	return s
}

// nextAvailable is when the next ready Pod counts as available; zero for never.
func (o observation) nextAvailable() time.Duration {
	var next time.Duration
	for _, pods := range o.pods {
		for _, pod := range pods {
			if !core.PodReady(pod) {
				continue
			}
			if left := core.PodAvailableIn(pod, o.ds.Spec.MinReadySeconds, o.now); left > 0 && (next == 0 || left < next) {
				next = left
			}
		}
	}
	return next
}

func historyLimit(ds *appsv1.DaemonSet) int { return int(ptr.Deref(ds.Spec.RevisionHistoryLimit, 10)) }
