package pods

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// relistEvery is how often the runtime is asked for all that it holds: an event that was lost would else be waited for for ever.
const relistEvery = 5 * time.Minute

// watch keeps the workers informed of what happens in the runtime until ctx ends.
func (m *Manager) watch(ctx context.Context) {
	runtime.Watch(ctx, m.Runtime, func() {
		m.Metrics.EventStream()
		m.look(ctx, true)
	}, m.changed)
}

// relist looks for what events did not tell until ctx ends.
func (m *Manager) relist(ctx context.Context) {
	ticker := time.NewTicker(relistEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.look(ctx, false)
		}
	}
}

// changed tells the worker that it concerns of a change. Where the runtime does not say whose it is, what was seen before tells, and if
// nothing was, all look.
func (m *Manager) changed(c runtime.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.workers[c.Pod]; w != nil || c.Pod != "" {
		if w != nil {
			w.poke()
		}
		return
	}
	for _, w := range m.workers {
		if w.lastSeen().Has(c.ID) {
			w.poke()
			return
		}
	}
	for _, w := range m.workers {
		w.poke()
	}
}

// look asks the runtime what it holds. The workers of Pods that are not as they were last seen look closer, or all do; what no known Pod
// accounts for gets a worker.
func (m *Manager) look(ctx context.Context, all bool) {
	began := time.Now()
	listed, err := m.observer.List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Looking for what the runtime holds")
		}
		return
	}
	held := map[types.UID]runtime.Listed{}
	var refs []runtime.PodRef
	for _, l := range listed {
		held[l.UID] = l
		refs = append(refs, l.PodRef)
	}
	refs = append(refs, m.leftBehind()...)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Metrics.Relisted(began, m.relisted)
	m.relisted = began
	for uid, w := range m.workers {
		if all || !w.lastSeen().Is(held[uid]) {
			w.poke()
		}
	}
	for _, ref := range refs {
		if m.workers[ref.UID] != nil {
			continue
		}
		w := newWorker(m, orphan(ref))
		w.removed = true
		m.Metrics.Orphan()
		m.workers[ref.UID] = w
		m.start(w)
	}
}

// leftBehind names Pods that have files or a control group here. Each has a directory of its own for as long as it has logs: in those of
// Pods that have none, another kubelet of this machine may be writing.
func (m *Manager) leftBehind() []runtime.PodRef {
	// A directory that cannot be read has nothing that could be removed.
	entries, _ := os.ReadDir(m.PodsDir)
	ours := make(map[types.UID]runtime.PodRef, len(entries))
	for _, e := range entries {
		ours[types.UID(e.Name())] = runtime.PodRef{UID: types.UID(e.Name())}
	}
	logs, _ := os.ReadDir(m.PodLogsDir)
	for _, e := range logs {
		if parts := strings.Split(e.Name(), "_"); len(parts) == 3 {
			if uid := types.UID(parts[2]); ours[uid].UID != "" {
				ours[uid] = runtime.PodRef{Namespace: parts[0], Name: parts[1], UID: uid}
			}
		}
	}
	refs := slices.Collect(maps.Values(ours))
	for _, uid := range m.Resources.List() {
		refs = append(refs, runtime.PodRef{UID: uid})
	}
	return refs
}

// orphan stands for a Pod that only the runtime knows.
func orphan(ref runtime.PodRef) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.UID, pod.Namespace, pod.Name = ref.UID, ref.Namespace, ref.Name
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	return pod
}
