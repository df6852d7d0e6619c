// Package admission says whether a Pod that was bound to this node can run on it: whoever binds may know less of the node than the node
// itself. It is pure but for what it is told to ask.
package admission

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Node is what the node knows of itself.
type Node struct {
	// Sysctls are those that Pods may set.
	Sysctls *Sysctls
	// Pressure says whether the node runs short of something; nil is never.
	Pressure func(corev1.NodeConditionType) bool
	// AppArmor says whether profiles can be enforced; nil is no.
	AppArmor func() bool
}

// Request asks for a Pod to be run beside others.
type Request struct {
	Pod *corev1.Pod
	// Others are the Pods that have a share of the node.
	Others []*corev1.Pod
	Node   *corev1.Node
}

// Refusal is why a Pod cannot run here.
type Refusal struct {
	Reason, Message string
	// Lacks is what there is not enough of, where that is all that is wrong: in thousandths of CPU, in units of all else.
	Lacks map[corev1.ResourceName]int64
}

// Admit returns why the Pod cannot run here, nil where it can. The checks are in upstream's order: the first to fail gives the reason.
func (n *Node) Admit(r Request) *Refusal {
	r.Others = others(r)
	for _, check := range []func(Request) *Refusal{
		n.underPressure, n.sysctls, resourceClaims, system, groupsPolicy, fits, n.appArmor,
	} {
		if refusal := check(r); refusal != nil {
			return refusal
		}
	}
	return nil
}

// others are Pods other than the one that is to be run.
func others(r Request) []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(r.Others), func(o *corev1.Pod) bool { return o.UID == r.Pod.UID })
}

func refuse(reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// fits checks what the scheduler would have, and whether those taints are tolerated that end Pods.
func fits(r Request) *Refusal {
	short := Resources(r)
	for _, check := range []func(Request) *Refusal{affinity, ports, taints} {
		if refusal := check(r); refusal != nil {
			if short == nil {
				return refusal
			}
			if !IsCritical(r.Pod) {
				break
			}
			return refusal // room can be made, the rest cannot be mended
		}
	}
	return short
}

// SystemCritical is the priority from which on Pods are what the cluster or the node needs to work.
const SystemCritical = 2_000_000_000

// IsCritical tells whether a Pod is one that the cluster or the node needs to work.
func IsCritical(pod *corev1.Pod) bool {
	return pod.Spec.Priority != nil && *pod.Spec.Priority >= SystemCritical
}
