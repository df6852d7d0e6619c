package job

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
)

const (
	firstBackoff = 10 * time.Second
	longBackoff  = 10 * time.Minute
)

// backoff is how often a job's Pods have failed in a row, and when last.
type backoff struct {
	failures int
	last     time.Time
}

// next counts what finished since: a success ends the row.
func (b backoff) next(t tally) backoff {
	var success time.Time
	for _, pod := range t.succeededNow {
		b = backoff{}
		if end := ended(pod); end.After(success) {
			success = end
		}
	}
	for _, pod := range t.failedNow {
		end := ended(pod)
		if len(t.succeededNow) > 0 && !end.After(success) {
			continue
		}
		b.failures++
		if end.After(b.last) {
			b.last = end
		}
	}
	return b
}

// left is how long no new Pod is to be started.
func (b backoff) left(now time.Time) time.Duration {
	if b.failures == 0 {
		return 0
	}
	pause := longBackoff
	if b.failures < 8 {
		pause = min(firstBackoff<<(b.failures-1), longBackoff)
	}
	// The last end may be in the future: clocks of nodes differ, or this one went back.
	return min(pause, max(0, b.last.Add(pause).Sub(now)))
}

// ended is when the Pod finished: when its last container exited, else when it was seen not to be ready any more, else
// when it was deleted.
func ended(pod *corev1.Pod) time.Time {
	if last, ok := lastExit(pod); ok {
		return last
	}
	if ready := core.PodCondition(pod, corev1.PodReady); ready != nil && ready.Status == corev1.ConditionFalse && !ready.LastTransitionTime.IsZero() {
		return ready.LastTransitionTime.Time
	}
	if pod.DeletionTimestamp != nil {
		return pod.DeletionTimestamp.Add(-time.Duration(ptr.Deref(pod.DeletionGracePeriodSeconds, 0)) * time.Second)
	}
	return pod.CreationTimestamp.Time
}

// lastExit is known if all containers have exited; sidecars are among them.
func lastExit(pod *corev1.Pod) (last time.Time, ok bool) {
	statuses := pod.Status.ContainerStatuses
	for _, c := range pod.Spec.InitContainers {
		if !core.IsSidecar(&c) {
			continue
		}
		for _, status := range pod.Status.InitContainerStatuses {
			if status.Name == c.Name {
				statuses = append(statuses[:len(statuses):len(statuses)], status)
			}
		}
	}
	for _, status := range statuses {
		exited := status.State.Terminated
		if exited == nil || exited.FinishedAt.IsZero() {
			return time.Time{}, false
		}
		if exited.FinishedAt.After(last) {
			last = exited.FinishedAt.Time
		}
	}
	return last, len(statuses) > 0
}
