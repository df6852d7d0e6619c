package scheduler

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/guard"
)

// handling names the work of informers' handlers.
const handling = "scheduler's informer handler"

// feed is a handler that an informer calls.
type feed struct {
	informer     cache.SharedIndexInformer
	registration cache.ResourceEventHandlerRegistration
}

// unlisten leaves the informers, which may outlive the scheduler.
func (s *Scheduler) unlisten() {
	for _, f := range s.feeds {
		if err := f.informer.RemoveEventHandler(f.registration); err != nil {
			klog.Background().Error(err, "Leaving an informer")
		}
	}
}

// listen feeds the cache and the queue from the informers.
func (s *Scheduler) listen() error {
	v1 := s.informers.Core().V1()
	storage := s.informers.Storage().V1()
	for _, source := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{v1.Nodes().Informer(), handler[*corev1.Node]{set: s.nodeSet, gone: s.nodeGone}},
		{v1.Pods().Informer(), handler[*corev1.Pod]{set: s.podSet, gone: s.podGone}},
		{v1.PersistentVolumeClaims().Informer(), s.passOn(framework.ClaimChanged)},
		{v1.PersistentVolumes().Informer(), s.passOn(framework.VolumeChanged)},
		{storage.StorageClasses().Informer(), s.passOn(framework.StorageClassChanged)},
		{storage.CSINodes().Informer(), s.passOn(framework.CSINodeChanged)},
		{storage.CSIDrivers().Informer(), s.passOn(framework.CSIDriverChanged)},
		{storage.CSIStorageCapacities().Informer(), s.passOn(framework.CSICapacityChanged)},
		{v1.Namespaces().Informer(), s.passOn(framework.NamespaceChanged)},
	} {
		registration, err := source.informer.AddEventHandler(source.handler)
		if err != nil {
			return err
		}
		s.feeds = append(s.feeds, feed{source.informer, registration})
		s.synced = append(s.synced, registration.HasSyncedChecker())
	}
	for _, informer := range []cache.SharedIndexInformer{
		v1.Services().Informer(), v1.ReplicationControllers().Informer(),
		s.informers.Apps().V1().ReplicaSets().Informer(), s.informers.Apps().V1().StatefulSets().Informer(),
		s.informers.Policy().V1().PodDisruptionBudgets().Informer(),
	} {
		s.synced = append(s.synced, informer.HasSyncedChecker())
	}
	return nil
}

// handler turns an informer's calls into two, for objects of one type. The
// old object of set is the zero value for one that is new. A panic costs the
// one event: the informer's goroutine goes on with the next.
type handler[T interface {
	runtime.Object
	comparable
}] struct {
	set  func(old, object T)
	gone func(object T)
}

func (h handler[T]) OnAdd(object any, _ bool) {
	if o, ok := object.(T); ok {
		var none T
		guard.Insist(handling, func() { h.set(none, o) })
	}
}

func (h handler[T]) OnUpdate(old, object any) {
	before, ok := old.(T)
	after, also := object.(T)
	if ok && also && before != after {
		guard.Insist(handling, func() { h.set(before, after) })
	}
}

func (h handler[T]) OnDelete(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	if o, ok := object.(T); ok {
		guard.Insist(handling, func() { h.gone(o) })
	}
}

// passOn only tells the queue of changes.
func (s *Scheduler) passOn(action framework.Action) cache.ResourceEventHandler {
	return handler[changed]{
		set: func(old, object changed) {
			event := framework.Event{Action: action, New: object}
			if old != nil {
				event.Old = old
			}
			s.queue.Tell(event)
		},
		gone: func(object changed) { s.queue.Tell(framework.Event{Action: action, Old: object}) },
	}
}

// changed is an object of any kind.
type changed interface{ runtime.Object }

func (s *Scheduler) nodeSet(old, node *corev1.Node) {
	s.cache.SetNode(node)
	if action := nodeChange(old, node); action != 0 {
		event := framework.Event{Action: action, New: node}
		if old != nil {
			event.Old = old
		}
		s.queue.Tell(event)
	}
}

func (s *Scheduler) nodeGone(node *corev1.Node) {
	s.cache.RemoveNode(node.Name)
	s.queue.Tell(framework.Event{Action: framework.NodeRemoved, Old: node})
}

// nodeChange says what of a node has changed that pods may have waited for.
func nodeChange(old, node *corev1.Node) framework.Action {
	if old == nil {
		return framework.NodeAdded
	}
	var action framework.Action
	if !equality.Semantic.DeepEqual(old.Status.Allocatable, node.Status.Allocatable) {
		action |= framework.NodeAllocatableChanged
	}
	if !equality.Semantic.DeepEqual(old.Labels, node.Labels) || old.Annotations[volume.LocalRoom] != node.Annotations[volume.LocalRoom] {
		action |= framework.NodeLabelsChanged
	}
	if old.Spec.Unschedulable != node.Spec.Unschedulable || !equality.Semantic.DeepEqual(old.Spec.Taints, node.Spec.Taints) {
		action |= framework.NodeTaintsChanged
	}
	if !slices.Equal(old.Status.DeclaredFeatures, node.Status.DeclaredFeatures) {
		action |= framework.NodeDeclaredFeaturesChanged
	}
	return action
}

func (s *Scheduler) podSet(old, pod *corev1.Pod) {
	if old != nil && old.UID != pod.UID {
		s.podGone(old)
		old = nil
	}
	switch {
	case core.PodTerminal(pod):
		s.podGone(pod)
	case pod.Spec.NodeName != "":
		s.podPlaced(old, pod)
	case pod.DeletionTimestamp == nil && pod.Spec.SchedulerName == s.name:
		if s.cache.Holds(pod.UID) { // being bound; should that fail, it comes back as it is then
			return
		}
		if err := s.queue.Set(pod); err != nil {
			klog.Background().Error(err, "Queueing a pod", "pod", klog.KObj(pod))
		}
		s.renominate(old, pod)
	default:
		s.underway.abandon(pod.UID)
		s.queue.Remove(pod.UID)
		s.renounce(pod)
	}
}

// podPlaced takes note of a pod that has a node, given by whomever.
func (s *Scheduler) podPlaced(old, pod *corev1.Pod) {
	if err := s.cache.SetPod(pod); err != nil {
		klog.Background().Error(err, "Placing a pod", "pod", klog.KObj(pod))
	}
	s.nominated.Remove(pod.UID)
	s.queue.Remove(pod.UID)
	event := framework.Event{Action: framework.PodAssigned, New: pod}
	if old != nil && old.Spec.NodeName != "" {
		event.Old, event.Action = old, podChange(old, pod)
	}
	if event.Action != 0 {
		s.queue.Tell(event)
	}
}

func podChange(old, pod *corev1.Pod) framework.Action {
	var action framework.Action
	if !equality.Semantic.DeepEqual(old.Labels, pod.Labels) {
		action |= framework.PodLabelsChanged
	}
	if (old.Generation != pod.Generation || !equality.Semantic.DeepEqual(old.Status.ContainerStatuses, pod.Status.ContainerStatuses)) && resized(old, pod) {
		action |= framework.PodShrunk
	}
	return action
}

// resized says whether a pod counts for another amount than before.
func resized(old, pod *corev1.Pod) bool {
	was, err := snapshot.NewPod(old)
	now, also := snapshot.NewPod(pod)
	return err != nil || also != nil || !reflect.DeepEqual(was.Requests, now.Requests)
}

func (s *Scheduler) podGone(pod *corev1.Pod) {
	s.underway.abandon(pod.UID)
	s.queue.Remove(pod.UID)
	s.renounce(pod)
	held := s.cache.Holds(pod.UID)
	s.cache.RemovePod(pod.UID)
	if held {
		s.queue.Tell(framework.Event{Action: framework.PodRemoved, Old: pod})
	}
}
