package pods

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

// startup is how a Pod comes to run, for the metrics of that. The worker's lock guards it.
type startup struct {
	// seen is when this process first heard of the Pod. Only a Pod that no kubelet had seen before is watched.
	seen    time.Time
	watched bool
	// reported says that the API was told that the Pod runs.
	reported bool
	images   time.Duration
}

func newStartup(pod *corev1.Pod, now time.Time) startup {
	return startup{seen: now, watched: pod.Status.StartTime == nil && !pod.CreationTimestamp.IsZero() && pod.Status.Phase == corev1.PodPending}
}

// waitedForImage counts the time until an image was there.
func (w *worker) waitedForImage(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.startup.watched {
		w.startup.images += took
	}
}

// hasReported hears of each status that the API is to have. A Pod that an earlier process brought to run is not counted.
func (w *worker) hasReported(before, now corev1.PodPhase) {
	w.mu.Lock()
	first := now == corev1.PodRunning && before == corev1.PodPending && !w.startup.reported
	w.startup.reported = w.startup.reported || now == corev1.PodRunning
	seen := w.startup.seen
	w.mu.Unlock()
	if first {
		w.Metrics.Running(seen)
	}
}

// hasHeard hears of the Pod as the API now has it, and counts how long it took until that knew all containers to have started.
func (w *worker) hasHeard(pod *corev1.Pod, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.startup.watched:
		return
	case core.PodTerminal(pod):
		w.startup.watched = false
		return
	case !w.startup.reported || !allStarted(pod):
		return
	}
	w.startup.watched = false
	total := now.Sub(pod.CreationTimestamp.Time)
	w.Metrics.Started(total, max(0, total-w.startup.images-initTime(pod)), stateless(pod))
}

// allStarted tells whether the API knows each container to run.
func allStarted(pod *corev1.Pod) bool {
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].State.Running == nil {
			return false
		}
	}
	return len(pod.Status.ContainerStatuses) == len(pod.Spec.Containers)
}

// initTime is how long init containers ran, those left out that run on.
func initTime(pod *corev1.Pod) (all time.Duration) {
	for i := range pod.Status.InitContainerStatuses {
		if end := pod.Status.InitContainerStatuses[i].State.Terminated; end != nil {
			all += end.FinishedAt.Sub(end.StartedAt.Time)
		}
	}
	return all
}

// stateless tells whether a Pod has no volumes but those that are made for it from nothing and from the API.
func stateless(pod *corev1.Pod) bool {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Secret == nil && v.ConfigMap == nil && v.DownwardAPI == nil && v.EmptyDir == nil && v.Projected == nil {
			return false
		}
	}
	return true
}

// kindOfContainer is what a container is counted as.
func kindOfContainer(pod *corev1.Pod, name string) string {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			return metrics.InitContainer
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == name {
			return metrics.EphemeralContainer
		}
	}
	return metrics.Container
}

// reasonOf is why a container could not be started, as its status has it; "" if it was.
func reasonOf(err error) string {
	var why *Reasoned
	switch {
	case err == nil:
		return ""
	case errors.As(err, &why):
		return why.Reason
	}
	return "Other"
}
