package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

const (
	// statusTimeout bounds the one write that the loop waits for.
	statusTimeout = 10 * time.Second
	// noteLimit is the longest note that the API takes in an event.
	noteLimit = 1024
)

// fail puts a pod back into the queue, and says why on the pod.
func (s *Scheduler) fail(ctx context.Context, item *queue.Item, err error) {
	_, plugins := judge(err)
	if pod := s.queue.Reject(item, plugins); pod != nil {
		s.tellFailure(ctx, pod, err)
	}
}

// judge gives the reason of an error, as a pod's condition has it, and the plugins whose events may help: none if it was
// not about nodes.
func judge(err error) (reason string, plugins sets.Set[string]) {
	var r *rejection
	switch {
	case errors.As(err, &r):
		return corev1.PodReasonUnschedulable, r.rejecters()
	case errors.Is(err, errNoNodes):
		return corev1.PodReasonUnschedulable, sets.New("NodeName", "NodeUnschedulable")
	}
	return corev1.PodReasonSchedulerError, nil
}

// tellFailure says on a pod that waits again why it does, and keeps or voids what was promised to it.
func (s *Scheduler) tellFailure(ctx context.Context, pod *snapshot.Pod, err error) {
	reason, _ := judge(err)
	if reason == corev1.PodReasonSchedulerError {
		klog.FromContext(ctx).Error(err, "Scheduling a pod", "pod", klog.KObj(pod.Pod))
	}
	nominee := s.nominated.NodeOf(pod.UID)
	var r *rejection
	if errors.As(err, &r) && r.settled {
		nominee = r.nominee
	}
	s.nominate(pod, nominee)
	message := err.Error()
	s.events.Eventf(pod.Pod, nil, corev1.EventTypeWarning, "FailedScheduling", "Scheduling", "%s", shortened(message))
	if err := s.report(ctx, pod, nominee, reason, message); err != nil && !apierrors.IsNotFound(err) {
		klog.FromContext(ctx).Error(err, "Reporting an unschedulable pod", "pod", klog.KObj(pod.Pod))
	}
}

// report writes the condition PodScheduled=False, unless it says so already.
func (s *Scheduler) report(ctx context.Context, pod *snapshot.Pod, nominee, reason, message string) error {
	condition := corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, ObservedGeneration: pod.Generation,
		Reason: reason, Message: message, LastTransitionTime: metav1.Now(),
	}
	if known := core.PodCondition(pod.Pod, corev1.PodScheduled); known != nil {
		if known.Status == condition.Status && known.Reason == reason && known.Message == message &&
			known.ObservedGeneration == pod.Generation && pod.Status.NominatedNodeName == nominee {
			return nil
		}
		if known.Status == condition.Status {
			condition.LastTransitionTime = known.LastTransitionTime
		}
	}
	status := map[string]any{"conditions": []corev1.PodCondition{condition}}
	if pod.Status.NominatedNodeName != nominee {
		status["nominatedNodeName"] = nominee
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		return fmt.Errorf("encoding status of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	_, err = s.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("patching status of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func shortened(message string) string {
	if len(message) <= noteLimit {
		return message
	}
	return message[:noteLimit-4] + " ..."
}
