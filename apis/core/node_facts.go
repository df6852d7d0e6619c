package core

import corev1 "k8s.io/api/core/v1"

// NodeCondition finds a condition of the node; nil if there is none of the type.
func NodeCondition(s *corev1.NodeStatus, t corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == t {
			return &s.Conditions[i]
		}
	}
	return nil
}

// NodeReady reports whether the node's kubelet says that it is ready.
func NodeReady(n *corev1.Node) bool {
	c := NodeCondition(&n.Status, corev1.NodeReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// NodeAddress finds the node's first address of the first type that it has any of; "" if it has none.
func NodeAddress(n *corev1.Node, types ...corev1.NodeAddressType) string {
	for _, t := range types {
		for _, a := range n.Status.Addresses {
			if a.Type == t && a.Address != "" {
				return a.Address
			}
		}
	}
	return ""
}
