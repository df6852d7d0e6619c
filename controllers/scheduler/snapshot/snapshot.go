// Package snapshot keeps what the scheduler knows of nodes and their pods,
// and hands out consistent pictures of it at the cost of what has changed.
package snapshot

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Snapshot is the picture that one scheduling cycle works on. Its nodes are
// read only; it stays valid until the cache is asked for the next one.
type Snapshot struct {
	// Nodes are in an order that alternates between zones.
	Nodes []*Node
	// Affine are the nodes with pods that have a pod affinity or
	// anti-affinity, AntiAffine those with required anti-affinity.
	Affine, AntiAffine []*Node

	// at is where each node stands among Nodes.
	at map[string]int
}

// Of returns a snapshot of the given nodes, in that order.
func Of(nodes ...*Node) *Snapshot {
	s := &Snapshot{Nodes: nodes, at: make(map[string]int, len(nodes))}
	for i, node := range nodes {
		s.at[node.Name] = i
	}
	s.index()
	return s
}

// Node returns the node of that name, nil when there is none.
func (s *Snapshot) Node(name string) *Node {
	if i, known := s.at[name]; known {
		return s.Nodes[i]
	}
	return nil
}

// replace puts new pictures of nodes in place of their old ones.
func (s *Snapshot) replace(changed []*Node) {
	indexed := false
	for _, node := range changed {
		place := &s.Nodes[s.at[node.Name]]
		indexed = indexed || (*place).HasAffinePods() || node.HasAffinePods()
		*place = node
	}
	if indexed {
		s.index()
	}
}

func (s *Snapshot) index() {
	s.Affine, s.AntiAffine = nil, nil
	for _, node := range s.Nodes {
		if node.HasAffinePods() {
			s.Affine = append(s.Affine, node)
		}
		if node.HasAntiAffinePods() {
			s.AntiAffine = append(s.AntiAffine, node)
		}
	}
}

// alternateZones orders nodes by name, taking one of each zone in turn, so that
// a search which stops early has looked at all zones.
func alternateZones(nodes []*Node) []*Node {
	slices.SortFunc(nodes, func(a, b *Node) int { return strings.Compare(a.Name, b.Name) })
	var zones []string
	byZone := map[string][]*Node{}
	for _, node := range nodes {
		zone := zoneOf(node.Node)
		if _, known := byZone[zone]; !known {
			zones = append(zones, zone)
		}
		byZone[zone] = append(byZone[zone], node)
	}
	ordered := make([]*Node, 0, len(nodes))
	for i := 0; len(ordered) < len(nodes); i++ {
		for _, zone := range zones {
			if i < len(byZone[zone]) {
				ordered = append(ordered, byZone[zone][i])
			}
		}
	}
	return ordered
}

func zoneOf(node *corev1.Node) string {
	return node.Labels[corev1.LabelTopologyRegion] + "/" + node.Labels[corev1.LabelTopologyZone]
}
