package scheduler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// place takes the pod's room on a node and begins to bind it there.
func (s *Scheduler) place(ctx context.Context, item *queue.Item, c *cycle, node *snapshot.Node) error {
	object := *item.Pod.Pod
	object.Spec.NodeName = node.Name
	assumed := *item.Pod
	assumed.Pod = &object
	if status := c.reserve(node); status != nil {
		if status.Code == framework.Failed {
			return status.Err
		}
		return &rejection{nodes: len(c.nodes.Nodes), byNode: map[string]*framework.Status{node.Name: status}}
	}
	if err := s.cache.Assume(&assumed, node.Name); err != nil {
		c.unreserve()
		return err
	}
	s.nominated.Remove(item.UID)
	// Deliberately not the loop's context: what has begun to bind ends well even while stopping.
	s.bindings.Go(func() { s.bind(context.WithoutCancel(ctx), item, c, node.Node) })
	return nil
}

func (c *cycle) reserve(node *snapshot.Node) *framework.Status {
	for i := range c.opinions {
		if reserve := c.opinions[i].Reserve; reserve != nil {
			if status := reserve(node); status != nil {
				c.unreserve()
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

// bind tells the API where the pod goes; if it will not have it, the pod
// gives up its room and waits again.
func (s *Scheduler) bind(ctx context.Context, item *queue.Item, c *cycle, node *corev1.Node) {
	pod := item.Pod.Pod
	if err := s.write(ctx, c, pod, node); err != nil {
		c.unreserve()
		s.cache.Forget(pod.UID)
		s.queue.Tell(framework.Event{Action: framework.PodRemoved, Old: pod})
		s.fail(ctx, item, err)
		return
	}
	s.queue.Done(pod.UID)
	s.metrics.bound(item)
	s.events.Eventf(pod, nil, corev1.EventTypeNormal, "Scheduled", "Binding",
		"Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, node.Name)
	klog.FromContext(ctx).V(2).Info("Bound a pod", "pod", klog.KObj(pod), "node", node.Name, "attempts", item.Attempts)
}

func (s *Scheduler) write(ctx context.Context, c *cycle, pod *corev1.Pod, node *corev1.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	for i := range c.opinions {
		if before := c.opinions[i].BeforeBinding; before != nil {
			if err := before(ctx, node); err != nil {
				return err
			}
		}
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node.Name},
	}
	if err := s.client.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("binding pod %s/%s to node %s: %w", pod.Namespace, pod.Name, node.Name, err)
	}
	return nil
}
