package tainteviction

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sentences are the Pods that are to be deleted later.
type sentences struct {
	lock sync.Mutex
	all  map[types.NamespacedName]sentence
}

// sentence is which Pod of a name is to be deleted, and when.
type sentence struct {
	pod types.UID
	due time.Time
}

// pass returns when the Pod is to be deleted, which is after its patience. A sentence that was passed before stands, though
// another taint or toleration may have taken the place of that which it was passed for.
func (s *sentences) pass(pod *corev1.Pod, patience time.Duration, now time.Time) time.Time {
	s.lock.Lock()
	defer s.lock.Unlock()
	key := client.ObjectKeyFromObject(pod)
	known, ok := s.all[key]
	if !ok || known.pod != pod.UID {
		known = sentence{pod: pod.UID, due: now.Add(patience)}
		if s.all == nil {
			s.all = map[types.NamespacedName]sentence{}
		}
		s.all[key] = known
	}
	return known.due
}

// lift reports whether there was a sentence.
func (s *sentences) lift(pod types.NamespacedName) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	_, known := s.all[pod]
	delete(s.all, pod)
	return known
}
