package core

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// DefaultNode makes all that a node has allocatable, if it does not say. Safe to repeat.
func DefaultNode(n *corev1.Node) {
	s := &n.Status
	if s.Allocatable == nil && s.Capacity != nil {
		s.Allocatable = maps.Clone(s.Capacity)
	}
	roundUp(s.Capacity)
	roundUp(s.Allocatable)
	if len(n.Spec.PodCIDRs) > 0 {
		n.Spec.PodCIDR = n.Spec.PodCIDRs[0]
	} else if n.Spec.PodCIDR != "" {
		n.Spec.PodCIDRs = []string{n.Spec.PodCIDR}
	}
}
