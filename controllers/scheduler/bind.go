package scheduler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// bindTimeout bounds the one request that goes on while stopping.
const bindTimeout = time.Minute

// place takes the pod's room on a node and begins to bind it there.
func (s *Scheduler) place(ctx context.Context, item *queue.Item, c *cycle, node *snapshot.Node) error {
	placed := false
	defer func() {
		if !placed { // by a panic, too
			c.unreserve()
		}
	}()
	if status := c.reserve(node); status != nil {
		if status.Code == framework.Failed {
			return status.Err
		}
		return &rejection{nodes: len(c.nodes.Nodes), byNode: map[string]*framework.Status{node.Name: status}}
	}
	assumed := *item.Pod
	assumed.Pod = placedOn(item.Pod.Pod, node.Name)
	if err := s.cache.Assume(&assumed, node.Name); err != nil {
		return err
	}
	placed = true
	s.nominated.Remove(item.UID)
	// Binding may wait for volumes for minutes: no events are kept for so long.
	s.queue.Done(item.UID)
	ctx, giveUp := s.underway.begin(ctx, item.UID)
	s.bindings.GoThen("binding a pod", func() error { return s.write(ctx, c, item.Pod.Pod, node.Node) }, func(err error) {
		defer giveUp()
		s.bound(ctx, item, c, node.Node, err)
	})
	return nil
}

// placedOn is the pod as it will be on a node.
func placedOn(pod *corev1.Pod, node string) *corev1.Pod {
	placed := *pod
	placed.Spec.NodeName = node
	return &placed
}

func (c *cycle) reserve(node *snapshot.Node) *framework.Status {
	for i := range c.opinions {
		if reserve := c.opinions[i].Reserve; reserve != nil {
			if status := reserve(node); status != nil {
				return status.By(c.opinions[i].plugin)
			}
		}
	}
	return nil
}

func (c *cycle) unreserve() {
	for i := range c.opinions {
		if unreserve := c.opinions[i].Unreserve; unreserve != nil {
			unreserve()
		}
	}
}

// bound ends a binding: a pod that the API will not have on the node gives up its room and waits again.
func (s *Scheduler) bound(ctx context.Context, item *queue.Item, c *cycle, node *corev1.Node, err error) {
	pod := item.Pod.Pod
	if err != nil {
		defer s.putBack(ctx, item, err)
		defer s.queue.Tell(framework.Event{Action: framework.PodRemoved, Old: placedOn(pod, node.Name)})
		defer s.cache.Forget(pod.UID)
		c.unreserve()
		return
	}
	s.metrics.bound(item)
	s.events.Eventf(pod, nil, corev1.EventTypeNormal, "Scheduled", "Binding",
		"Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, node.Name)
	klog.FromContext(ctx).V(2).Info("Bound a pod", "pod", klog.KObj(pod), "node", node.Name, "attempts", item.Attempts)
}

// write does what must be done before the pod is bound, which is given up when the context ends, and binds it, which is
// not: what has been sent has its answer.
func (s *Scheduler) write(ctx context.Context, c *cycle, pod *corev1.Pod, node *corev1.Node) error {
	for i := range c.opinions {
		if before := c.opinions[i].BeforeBinding; before != nil {
			if err := before(ctx, node); err != nil {
				return err
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bindTimeout)
	defer cancel()
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node.Name},
	}
	if err := s.client.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("binding pod %s/%s to node %s: %w", pod.Namespace, pod.Name, node.Name, err)
	}
	return nil
}

// putBack queues a pod that could not be bound, as it is now: unless it is gone, somebody else has bound it, or nothing is
// scheduled any more.
func (s *Scheduler) putBack(ctx context.Context, item *queue.Item, err error) {
	now, failure := s.pods.Pods(item.Namespace).Get(item.Name)
	if ctx.Err() != nil || failure != nil || now.UID != item.UID || now.Spec.NodeName != "" || now.DeletionTimestamp != nil {
		return
	}
	pod, failure := snapshot.NewPod(now)
	if failure != nil {
		klog.FromContext(ctx).Error(failure, "Queueing a pod", "pod", klog.KObj(now))
	}
	s.queue.Return(item, pod)
	s.tellFailure(ctx, pod, err)
}
