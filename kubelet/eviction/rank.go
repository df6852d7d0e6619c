package eviction

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// reason is why the Pods' status says they failed.
const reason = "Evicted"

// systemCritical is the least priority of Pods that are never evicted.
const systemCritical = 2000000000

// evictable returns the Pods that may go. Those that the system needs stay.
func evictable(pods []*corev1.Pod) []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool {
		return p.DeletionTimestamp != nil || core.PodTerminal(p) || priority(p) >= systemCritical
	})
}

// pick returns the Pod to go first, nil of none: those that use more than they asked for, then the least important, then the one that
// is furthest above what it asked for.
func pick(pods []*corev1.Pod, usage map[types.UID]Usage, of corev1.ResourceName) *corev1.Pod {
	if len(pods) == 0 {
		return nil
	}
	return slices.MinFunc(pods, func(a, b *corev1.Pod) int {
		overA, overB := above(a, usage, of), above(b, usage, of)
		return cmp.Or(-compareBool(overA > 0, overB > 0), cmp.Compare(priority(a), priority(b)), -cmp.Compare(overA, overB))
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func priority(p *corev1.Pod) int32 {
	if p.Spec.Priority == nil {
		return 0
	}
	return *p.Spec.Priority
}

// above is how much more a Pod uses than it asked for.
func above(p *corev1.Pod, usage map[types.UID]Usage, of corev1.ResourceName) int64 {
	requests := core.ResourceRequests(p)
	asked := requests[of]
	return used(usage[p.UID], of) - asked.Value()
}

func used(u Usage, of corev1.ResourceName) int64 {
	switch of {
	case corev1.ResourceEphemeralStorage:
		return u.Disk
	case inodes:
		return u.Inodes
	case pids:
		return u.PIDs
	}
	return u.Memory
}

func verdict(n need, pod *corev1.Pod, u Usage) status.Verdict {
	message := fmt.Sprintf("The node was low on resource: %s. Threshold quantity: %s, available: %s. ", n.of, n.threshold, n.available)
	if n.of == corev1.ResourceMemory || n.of == corev1.ResourceEphemeralStorage {
		requests := core.ResourceRequests(pod)
		asked := requests[n.of]
		message += fmt.Sprintf("The pod was using %s, request is %s, has larger consumption of %s. ", bytes(used(u, n.of)), asked.String(), n.of)
	}
	return evicted(message)
}

func evicted(message string) status.Verdict {
	return status.Verdict{
		Reason: reason, Message: message, Warning: true, Immediate: true,
		Conditions: []corev1.PodCondition{{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Reason: corev1.PodReasonTerminationByKubelet, Message: message,
		}},
	}
}
