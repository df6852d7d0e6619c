package nodelifecycle

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/node/topology"

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

// counts reports whether the Node says something on whether its zone is disrupted.
func counts(node *corev1.Node) bool {
	_, excluded := node.Labels[excludeLabel]
	return !excluded
}

// pace says how many Nodes of a zone may begin to lose their Pods in a second. Everything calms down if no Node of the
// whole cluster is ready.
//
// https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction
func pace(zone string, nodes []corev1.Node) (perSecond float64, allLost bool) {
	ready, lost, readyAnywhere, lostAnywhere := 0, 0, false, false
	for i := range nodes {
		if !counts(&nodes[i]) {
			continue
		}
		isReady := core.NodeReady(&nodes[i])
		readyAnywhere, lostAnywhere = readyAnywhere || isReady, lostAnywhere || !isReady
		switch {
		case topology.GetZoneKey(&nodes[i]) != zone:
		case isReady:
			ready++
		default:
			lost++
		}
	}
	switch {
	case lostAnywhere && !readyAnywhere:
		return 0, true
	case ready == 0:
		// A whole zone is lost: its Pods are better off elsewhere. Or none of its Nodes counts.
		return normalPace, false
	case lost <= 2 || float64(lost)/float64(lost+ready) < unhealthyShare:
		return normalPace, false
	case lost+ready > largeZone:
		return slowPace, false
	}
	return 0, false
}

// brake holds the loss of Pods back where so many Nodes seem lost that it may be us who do not hear them.
type brake struct {
	lock    sync.Mutex
	allLost bool
	limits  map[string]*rate.Limiter // by zone
}

// judge decides whether Pods may be driven off a Node that is not ready, now, or else when to ask again: after zero,
// when the other Nodes' readiness changes.
func (b *brake) judge(node *corev1.Node, nodes []corev1.Node, now time.Time) (eviction, time.Duration) {
	zone := topology.GetZoneKey(node)
	perSecond, allLost := pace(zone, nodes)
	b.lock.Lock()
	defer b.lock.Unlock()
	b.allLost = allLost
	if allLost {
		return calm, 0
	}
	if drivesOff(node) || perSecond == 0 {
		return hold, 0
	}
	limit := b.limits[zone]
	if limit == nil {
		limit = rate.NewLimiter(rate.Limit(perSecond), 1)
		if b.limits == nil {
			b.limits = map[string]*rate.Limiter{}
		}
		b.limits[zone] = limit
	}
	limit.SetLimitAt(now, rate.Limit(perSecond))
	if limit.AllowN(now, 1) {
		return evict, 0
	}
	return hold, time.Duration(float64(time.Second) / perSecond)
}

// release says that a Node is ready. It reports whether all seemed lost before.
func (b *brake) release() bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	was := b.allLost
	b.allLost = false
	return was
}
