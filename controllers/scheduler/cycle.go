package scheduler

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/guard"
)

const (
	// enough is how many nodes are always looked at before a search may stop early.
	enough = 100
	// manyNodes is from where on a search is worth more than one goroutine.
	manyNodes = 64
)

var errNoNodes = errors.New("no nodes available to schedule pods")

// cycle is one attempt to find a node for a pod: what the plugins think.
type cycle struct {
	pod   *snapshot.Pod
	nodes *snapshot.Snapshot
	// nominated is the node that was promised to the pod, promised the other pods, no less important, with promises.
	nominated string
	promised  map[string][]*snapshot.Pod
	opinions  []opinion
	// only names the nodes in question, nil for all; onlyBy the plugins that said so.
	only   sets.Set[string]
	onlyBy []string
}

type opinion struct {
	framework.Opinion
	plugin string
	weight int64
}

// choose finds the best node for a pod. The error is a *rejection when no node fits.
func (s *Scheduler) choose(ctx context.Context, pod *snapshot.Pod) (*cycle, *snapshot.Node, error) {
	nodes := s.cache.Snapshot()
	if len(nodes.Nodes) == 0 {
		return nil, nil, errNoNodes
	}
	c := &cycle{pod: pod, nodes: nodes, nominated: s.nominated.NodeOf(pod.UID), promised: promisedTo(s.nominated.All(), pod)}
	if rejection, err := c.prepare(s.plugins); err != nil || rejection != nil {
		if err == nil {
			err = s.preemptor.consider(ctx, c, rejection)
		}
		return nil, nil, err
	}
	feasible, rejection, err := c.search(ctx, s.start(len(nodes.Nodes)))
	if err != nil {
		return nil, nil, err
	}
	if len(feasible) == 0 {
		return nil, nil, s.preemptor.consider(ctx, c, rejection)
	}
	return c, c.best(feasible), nil
}

// start says where to begin the search, and moves on for the next one.
func (s *Scheduler) start(nodes int) int {
	start := s.nextStart % nodes
	if nodes > enough {
		s.nextStart = start + wanted(nodes)
	}
	return start
}

// prepare asks all plugins about the pod.
func (c *cycle) prepare(plugins []framework.Weighted) (*rejection, error) {
	for _, plugin := range plugins {
		o, status := plugin.Prepare(c.pod, c.nodes)
		if status != nil {
			if status.Code == framework.Failed {
				return nil, status.Err
			}
			return &rejection{nodes: len(c.nodes.Nodes), whole: status.By(plugin.Name())}, nil
		}
		if o.Only != nil {
			c.restrict(o.Only, plugin.Name())
		}
		c.opinions = append(c.opinions, opinion{Opinion: o, plugin: plugin.Name(), weight: plugin.Weight})
	}
	if c.only != nil && c.only.Len() == 0 {
		status := framework.Reject(framework.Unresolvable, "node(s) didn't satisfy plugin(s) "+bracketed(c.onlyBy)+" simultaneously")
		r := &rejection{nodes: len(c.nodes.Nodes), whole: status}
		r.plugins = sets.New(c.onlyBy...)
		return r, nil
	}
	return nil, nil
}

func (c *cycle) restrict(only sets.Set[string], plugin string) {
	if c.only == nil {
		c.only = only
	} else {
		c.only = c.only.Intersection(only)
	}
	c.onlyBy = append(c.onlyBy, plugin)
}

// candidates are the nodes in question.
func (c *cycle) candidates() []*snapshot.Node {
	if c.only == nil {
		return c.nodes.Nodes
	}
	var nodes []*snapshot.Node
	for name := range c.only {
		if node := c.nodes.Node(name); node != nil {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// search returns nodes that fit: all, or enough of them when there are many.
// A pod for which room was made is given that room if it is there.
func (c *cycle) search(ctx context.Context, start int) ([]*snapshot.Node, *rejection, error) {
	if name := c.nominated; name != "" && (c.only == nil || c.only.Has(name)) {
		if node := c.nodes.Node(name); node != nil && c.fits(node) == nil {
			return []*snapshot.Node{node}, nil, nil
		}
	}
	nodes := c.candidates()
	statuses := make([]*framework.Status, len(nodes))
	seen := make([]bool, len(nodes))
	limit := int64(wanted(len(nodes)))
	var found atomic.Int64
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	check := func(i int) {
		if statuses[i] = c.ask(nodes[i]); statuses[i] == nil && found.Add(1) >= limit {
			cancel()
		}
		seen[i] = true
	}
	// Where others have promises, plugins are told of pods that are not there, which is for one goroutine alone.
	parallel := len(nodes) >= manyNodes
	for i := 0; i < len(nodes) && ctx.Err() == nil; i++ {
		i := (start + i) % len(nodes)
		if !parallel || len(c.promised[nodes[i].Name]) > 0 {
			check(i)
		}
	}
	if parallel {
		workqueue.ParallelizeUntil(ctx, runtime.GOMAXPROCS(0), len(nodes), func(i int) {
			if i = (start + i) % len(nodes); !seen[i] {
				check(i)
			}
		}, workqueue.WithChunkSize(16))
	}
	return c.sorted(nodes, statuses, seen)
}

// ask is fits for goroutines that are not ours to end: a plugin that panics fails the attempt, as one that errs does.
func (c *cycle) ask(node *snapshot.Node) (status *framework.Status) {
	if err := guard.Call("scheduling filter", func() error { status = c.fits(node); return nil }); err != nil {
		return framework.Fail(err)
	}
	return status
}

// sorted parts the nodes that were seen into those that fit, and the others with their reasons.
func (c *cycle) sorted(nodes []*snapshot.Node, statuses []*framework.Status, seen []bool) ([]*snapshot.Node, *rejection, error) {
	var feasible []*snapshot.Node
	r := &rejection{nodes: len(c.nodes.Nodes), byNode: map[string]*framework.Status{}, onlyBy: c.onlyBy}
	for i, status := range statuses {
		switch {
		case !seen[i]:
		case status == nil:
			feasible = append(feasible, nodes[i])
		case status.Code == framework.Failed:
			return nil, nil, status.Err
		default:
			r.byNode[nodes[i].Name] = status
		}
	}
	return feasible, r, nil
}

// wanted is how many fitting nodes make a choice good enough: all of a
// hundred, falling from a half to a twentieth of more.
func wanted(nodes int) int {
	if nodes <= enough {
		return nodes
	}
	percent := max(50-nodes/125, 5)
	return max(nodes*percent/100, enough)
}

// fits asks all filters about a node: with the pods that room was promised
// to, and without, as they may never come.
func (c *cycle) fits(node *snapshot.Node) *framework.Status {
	promised := c.promised[node.Name]
	if len(promised) > 0 {
		full := node.Clone()
		for _, pod := range promised {
			c.add(full, pod)
		}
		status := c.filter(full)
		for _, pod := range promised {
			c.remove(full, pod)
		}
		if status != nil {
			return status
		}
	}
	return c.filter(node)
}

// promisedTo keeps, of all that is promised, what counts for a pod: what is promised to others no less important.
func promisedTo(all map[string][]*snapshot.Pod, pod *snapshot.Pod) map[string][]*snapshot.Pod {
	for node, pods := range all {
		pods = slices.DeleteFunc(pods, func(other *snapshot.Pod) bool { return other.UID == pod.UID || other.Priority < pod.Priority })
		if len(pods) == 0 {
			delete(all, node)
			continue
		}
		all[node] = pods
	}
	return all
}

func (c *cycle) filter(node *snapshot.Node) *framework.Status {
	for i := range c.opinions {
		if filter := c.opinions[i].Filter; filter != nil {
			if status := filter(node); status != nil {
				return status.By(c.opinions[i].plugin)
			}
		}
	}
	return nil
}

// add puts a pod on a clone of a node, and tells the plugins.
func (c *cycle) add(node *snapshot.Node, pod *snapshot.Pod) {
	node.Add(pod)
	for i := range c.opinions {
		if added := c.opinions[i].PodAdded; added != nil {
			added(pod, node)
		}
	}
}

// remove takes a pod off a clone of a node, and tells the plugins.
func (c *cycle) remove(node *snapshot.Node, pod *snapshot.Pod) {
	node.Remove(pod.UID)
	for i := range c.opinions {
		if removed := c.opinions[i].PodRemoved; removed != nil {
			removed(pod, node)
		}
	}
}

// best returns the node with the highest sum of scores, any one of several.
func (c *cycle) best(feasible []*snapshot.Node) *snapshot.Node {
	if len(feasible) == 1 {
		return feasible[0]
	}
	totals := make([]int64, len(feasible))
	for i := range c.opinions {
		if c.opinions[i].Score == nil || c.opinions[i].weight == 0 {
			continue
		}
		for j, score := range c.opinions[i].Score(feasible) {
			totals[j] += score * c.opinions[i].weight
		}
	}
	best, equals := 0, 1
	for i := 1; i < len(totals); i++ {
		switch {
		case totals[i] > totals[best]:
			best, equals = i, 1
		case totals[i] == totals[best]:
			if equals++; rand.IntN(equals) == 0 {
				best = i
			}
		}
	}
	return feasible[best]
}
