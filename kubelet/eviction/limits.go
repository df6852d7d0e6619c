package eviction

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// Measuring what Pods hold is a walk over their files. It takes at most one part in so many of the time, but is done once in longestRest.
const (
	restFactor  = 20
	longestRest = time.Minute
)

// watchLimits looks at Pods' own limits each time that the node is looked at, or more seldom where that takes long.
func (e *Evictor) watchLimits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.looked:
		}
		began := time.Now()
		e.checkLimits(ctx)
		if rest := min(restFactor*time.Since(began), longestRest); rest > lookEvery {
			select {
			case <-ctx.Done():
				return
			case <-time.After(rest):
			}
		}
	}
}

// checkLimits ends Pods that hold more on disk than they may.
// https://kubernetes.io/docs/concepts/storage/ephemeral-storage/#resource-emphemeralstorage-consumption
func (e *Evictor) checkLimits(ctx context.Context) {
	for _, pod := range e.Pods() {
		if priority(pod) >= systemCritical {
			continue
		}
		err := guard.Call("looking at what a Pod outgrows", func() error { // the others are looked at all the same
			held, err := e.hold(ctx, pod, hasDiskLimit(pod))
			if err != nil {
				return err
			}
			if signal, message := exceeded(pod, held); message != "" {
				e.Evict(pod.UID, status.Verdict{Reason: reason, Message: message, Warning: true, Immediate: true})
				e.told(signal)
			}
			return nil
		})
		if err != nil {
			klog.FromContext(ctx).V(2).Info("Measuring what a pod holds on disk", "pod", klog.KObj(pod), "error", err)
		}
	}
}

// exceeded says which of its limits a Pod exceeds, "" for none.
func exceeded(pod *corev1.Pod, h held) (signal, message string) {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if limit := sizeLimit(v); limit > 0 && h.volumes[v.Name].Bytes > limit {
			return "emptydirfs.limit", fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, v.EmptyDir.SizeLimit.String())
		}
	}
	if !hasDiskLimit(pod) {
		return "", ""
	}
	limits := core.ResourceLimits(pod)
	if limit := limits[corev1.ResourceEphemeralStorage]; h.total().Bytes > limit.Value() {
		return "ephemeralpodfs.limit", fmt.Sprintf("Pod ephemeral local storage usage exceeds the total limit of containers %s. ", limit.String())
	}
	core.Containers(&pod.Spec, func(c *corev1.Container) bool {
		if limit := c.Resources.Limits.StorageEphemeral(); !limit.IsZero() && h.containers[c.Name].Total().Bytes > limit.Value() {
			message = fmt.Sprintf("Container %s exceeded its local ephemeral storage limit %q. ", c.Name, limit.String())
		}
		return message == ""
	})
	return "ephemeralcontainerfs.limit", message
}

// hasDiskLimit says whether the Pod's containers are limited in what they hold on disk.
func hasDiskLimit(pod *corev1.Pod) bool {
	_, found := core.ResourceLimits(pod)[corev1.ResourceEphemeralStorage]
	return found
}

// sizeLimit is the most that a volume on disk may hold, 0 for no limit. The kernel limits those in memory.
func sizeLimit(v *corev1.Volume) int64 {
	if v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil || !core.LocalEphemeral(v) {
		return 0
	}
	return v.EmptyDir.SizeLimit.Value()
}
