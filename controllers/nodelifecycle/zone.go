package nodelifecycle

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

const (
	// unhealthyShare is the share of a zone's Nodes from which on it counts as disrupted, if there are more than two.
	unhealthyShare = 0.55
	// largeZone is the number of Nodes above which a disrupted zone is still evicted, slowly.
	largeZone = 50

	normalPace = 0.1
	slowPace   = 0.01

	excludeLabel = "node.kubernetes.io/exclude-disruption"
)

// zone names where a Node is, for the purpose of judging whether a fault is the Node's or its surroundings'.
func zone(node *corev1.Node) string {
	return node.Labels[corev1.LabelTopologyRegion] + "\x00" + node.Labels[corev1.LabelTopologyZone]
}

// pace says how many Nodes of a zone may begin to lose their Pods in a second. Everything calms down if no Node of the
// whole cluster is ready.
//
// https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction
func pace(of string, nodes []corev1.Node) (perSecond float64, allLost bool) {
	ready, lost, readyAnywhere := 0, 0, false
	for i := range nodes {
		if _, excluded := nodes[i].Labels[excludeLabel]; excluded {
			continue
		}
		isReady := core.NodeReady(&nodes[i])
		readyAnywhere = readyAnywhere || isReady
		switch {
		case zone(&nodes[i]) != of:
		case isReady:
			ready++
		default:
			lost++
		}
	}
	switch {
	case !readyAnywhere:
		return 0, true
	case ready == 0:
		// A whole zone is lost: its Pods are better off elsewhere.
		return normalPace, false
	case lost <= 2 || float64(lost)/float64(lost+ready) < unhealthyShare:
		return normalPace, false
	case lost+ready > largeZone:
		return slowPace, false
	}
	return 0, false
}
