package snapshot

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Cache folds what is told of nodes and pods, and the scheduler's own
// decisions that the API does not know yet ("assumed" pods). Pods may come
// before their node and stay after it. It is safe for concurrent use, but
// Snapshot is for one caller.
type Cache struct {
	mu      sync.Mutex
	nodes   map[string]*entry
	pods    map[types.UID]*placed
	changed map[string]struct{}
	// reordered says that nodes have come, gone or changed zone.
	reordered bool
	snapshot  *Snapshot
}

// entry is a node that is known, or (Node.Node is nil) one that has pods only.
type entry struct{ *Node }

type placed struct {
	pod     *Pod
	node    string
	assumed bool
}

// NewCache returns a cache that knows of nothing.
func NewCache() *Cache {
	return &Cache{
		nodes:    map[string]*entry{},
		pods:     map[types.UID]*placed{},
		changed:  map[string]struct{}{},
		snapshot: Of(),
	}
}

// SetNode adds or updates a node.
func (c *Cache) SetNode(node *corev1.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(node.Name)
	if e.Node.Node == nil || zoneOf(e.Node.Node) != zoneOf(node) {
		c.reordered = true
	}
	e.set(node)
	c.changed[node.Name] = struct{}{}
}

// RemoveNode forgets a node. Pods on it are kept until they are removed themselves.
func (c *Cache) RemoveNode(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.nodes[name]
	if !known {
		return
	}
	e.Node.Node = nil
	c.reordered = true
	c.dropIfEmpty(name)
}

// SetPod adds or updates a pod that has a node. It confirms an assumed pod.
func (c *Cache) SetPod(pod *corev1.Pod) error {
	parsed, err := NewPod(pod)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take(pod.UID)
	c.put(parsed, pod.Spec.NodeName, false)
	return err
}

// RemovePod forgets a pod. It does nothing for an unknown one.
func (c *Cache) RemovePod(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take(uid)
}

// Assume puts a pod on a node before the API knows.
func (c *Cache) Assume(pod *Pod, node string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, known := c.pods[pod.UID]; known {
		return fmt.Errorf("assuming pod %s/%s on node %s: it is on node %s", pod.Namespace, pod.Name, node, p.node)
	}
	c.put(pod, node, true)
	return nil
}

// Forget takes an assumed pod back. A pod that was confirmed stays.
func (c *Cache) Forget(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, known := c.pods[uid]; known && p.assumed {
		c.take(uid)
	}
}

// Holds says whether a pod has a node, assumed or not.
func (c *Cache) Holds(uid types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.pods[uid]
	return known
}

// Snapshot returns a picture of all nodes. It invalidates the one before.
func (c *Cache) Snapshot() *Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := make([]*Node, 0, len(c.changed))
	for name := range c.changed {
		if e, known := c.nodes[name]; known && e.Node.Node != nil {
			fresh = append(fresh, e.Clone())
		}
	}
	switch {
	case c.reordered:
		c.rebuild(fresh)
	case len(fresh) > 0:
		c.snapshot.replace(fresh)
	}
	clear(c.changed)
	c.reordered = false
	return c.snapshot
}

func (c *Cache) rebuild(fresh []*Node) {
	nodes := fresh
	for name, e := range c.nodes {
		if _, done := c.changed[name]; done || e.Node.Node == nil {
			continue
		}
		if known := c.snapshot.Node(name); known != nil {
			nodes = append(nodes, known)
		} else {
			nodes = append(nodes, e.Clone())
		}
	}
	c.snapshot = Of(alternateZones(nodes)...)
}

func (c *Cache) entry(name string) *entry {
	e, known := c.nodes[name]
	if !known {
		e = &entry{Node: &Node{}}
		c.nodes[name] = e
	}
	return e
}

func (c *Cache) put(pod *Pod, node string, assumed bool) {
	c.pods[pod.UID] = &placed{pod: pod, node: node, assumed: assumed}
	c.entry(node).Add(pod)
	c.changed[node] = struct{}{}
}

func (c *Cache) take(uid types.UID) {
	p, known := c.pods[uid]
	if !known {
		return
	}
	delete(c.pods, uid)
	if e, known := c.nodes[p.node]; known {
		e.Remove(uid)
		c.changed[p.node] = struct{}{}
		c.dropIfEmpty(p.node)
	}
}

func (c *Cache) dropIfEmpty(name string) {
	if e := c.nodes[name]; e != nil && e.Node.Node == nil && len(e.Pods) == 0 {
		delete(c.nodes, name)
	}
}
