package podgc

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/podset"
)

// missing knows since when Nodes that have Pods are not there.
type missing struct {
	lock  sync.Mutex
	nodes map[string]time.Time
	// counted is when finished Pods were last counted.
	counted time.Time
}

func newMissing() *missing { return &missing{nodes: map[string]time.Time{}} }

func (m *missing) since(node string, now time.Time) time.Time {
	m.lock.Lock()
	defer m.lock.Unlock()
	if _, known := m.nodes[node]; !known {
		m.nodes[node] = now
	}
	return m.nodes[node]
}

func (m *missing) found(node string) {
	m.lock.Lock()
	defer m.lock.Unlock()
	delete(m.nodes, node)
}

// due reports whether finished Pods are to be counted now, or when.
func (m *missing) due(now time.Time) (left time.Duration) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if left := m.counted.Add(gathering).Sub(now); left > 0 {
		return left
	}
	m.counted = now
	return 0
}

// collectFinished removes the oldest finished Pods beyond the limit, evicted ones first.
func (r *controller) collectFinished(ctx context.Context) (reconcile.Result, error) {
	if left := r.missing.due(r.now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	finished, err := podset.Finished(ctx, r.client)
	if err != nil {
		return reconcile.Result{}, err
	}
	for _, pod := range surplus(finished, maxFinished) {
		if err := r.remove(ctx, pod, "", ""); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, nil
}

// surplus returns those of the finished Pods that are too many.
func surplus(finished []*corev1.Pod, most int) []*corev1.Pod {
	if len(finished) <= most {
		return nil
	}
	slices.SortFunc(finished, func(a, b *corev1.Pod) int {
		return cmp.Or(
			-cmp.Compare(evicted(a), evicted(b)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return finished[:len(finished)-most]
}

func evicted(pod *corev1.Pod) int {
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason == "Evicted" {
		return 1
	}
	return 0
}
