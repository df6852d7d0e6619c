package scheduler

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// nominate promises a node to a waiting pod, in place of any before; "" promises none. Whom the promise before kept out
// gets to know that it does not hold any more.
func (s *Scheduler) nominate(pod *snapshot.Pod, node string) {
	before := s.nominated.Set(pod, node)
	if before != "" && before != node {
		s.released(pod.Pod, before)
	}
	if node != "" && !s.queue.Has(pod.UID) { // gone meanwhile: nobody else would take it back
		s.renounce(pod.Pod)
	}
}

// renounce takes back what was promised to a pod, which needs it no more.
func (s *Scheduler) renounce(pod *corev1.Pod) {
	if before := s.nominated.Remove(pod.UID); before != "" {
		s.released(pod, before)
	}
}

// released tells of a promise that holds no more as if the pod had been on the node: to those whom it kept out it was.
func (s *Scheduler) released(pod *corev1.Pod, node string) {
	s.queue.Tell(framework.Event{Action: framework.PodRemoved, Old: placedOn(pod, node)})
}

// renominate takes up what the API says of a promise: from a scheduler before this one, or changed by somebody else. What
// has not changed there may be older than what was promised here.
func (s *Scheduler) renominate(old, pod *corev1.Pod) {
	node, before := pod.Status.NominatedNodeName, ""
	if old != nil {
		before = old.Status.NominatedNodeName
	}
	if node == before {
		node = s.nominated.NodeOf(pod.UID)
	}
	if node == "" && before == "" {
		return
	}
	parsed, err := snapshot.NewPod(pod)
	if err != nil {
		klog.Background().Error(err, "Nominating a pod", "pod", klog.KObj(pod))
	}
	s.nominate(parsed, node)
}
