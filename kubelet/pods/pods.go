// Package pods moves each Pod of the node through its life: a worker per Pod observes the runtime, decides, and
// acts. What happens in a Pod never waits for another.
package pods

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/downward"
	"github.com/coracle-k8s/coracle/kubelet/logs"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// Manager runs a worker for each Pod.
type Manager struct {
	Config
	observer *runtime.Observer
	dns      dnsSource
	users    *userRanges

	// admission is held while a Pod's share of the node is weighed against the others'.
	admission sync.Mutex

	mu      sync.Mutex
	ctx     context.Context
	workers map[types.UID]*worker
	running guard.Group
	// relisted is when the runtime was last asked for all that it holds.
	relisted time.Time
}

// New returns a manager that does nothing yet.
func New(c Config) *Manager {
	return &Manager{
		Config: c, observer: runtime.NewObserver(c.Runtime), workers: map[types.UID]*worker{},
		users: newUserRanges(c.PodsDir),
		dns:   dnsSource{servers: c.ClusterDNS, domain: c.ClusterDomain, host: c.ResolvConf, behind: c.ResolvConfBehind},
	}
}

// Run works until ctx ends, and returns when all workers have. Containers keep running. Update must have been called
// for every Pod that the API has before Run: what else the runtime holds is removed.
func (m *Manager) Run(ctx context.Context) {
	m.readmit(ctx)
	m.mu.Lock()
	m.ctx = ctx
	for _, w := range m.workers {
		m.start(w)
	}
	m.mu.Unlock()
	m.running.Keep(ctx, "watch of the runtime", m.watch)
	m.running.Keep(ctx, "relist of the runtime", m.relist)
	m.running.Wait()
}

func (m *Manager) start(w *worker) {
	m.running.Keep(m.ctx, "pod worker", w.run)
}

// Update tells of a Pod that the API has, new or changed.
func (m *Manager) Update(pod *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.workers[pod.UID]
	if w == nil {
		w = newWorker(m, pod)
		m.workers[pod.UID] = w
		if m.ctx != nil && m.ctx.Err() == nil {
			m.start(w)
		}
		return
	}
	w.setPod(pod, false)
	w.hasHeard(pod, time.Now())
}

// Delete tells that the API has a Pod no more.
func (m *Manager) Delete(pod *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.workers[pod.UID]; w != nil {
		w.setPod(pod, true)
	}
}

// RuntimeChanged tells that something happened in the runtime, or that a probe found something new.
func (m *Manager) RuntimeChanged(uid types.UID) {
	m.mu.Lock()
	w := m.workers[uid]
	m.mu.Unlock()
	if w != nil {
		w.poke()
	}
}

// Retry tells that something that the Pod refers to changed: what failed may work now.
func (m *Manager) Retry(uid types.UID) {
	m.mu.Lock()
	w := m.workers[uid]
	m.mu.Unlock()
	if w != nil {
		w.resetRetry()
	}
}

// forget ends a Pod's worker; nothing of the Pod is left.
func (m *Manager) forget(w *worker) {
	m.mu.Lock()
	delete(m.workers, w.uid)
	for _, other := range m.workers {
		other.roomMade()
	}
	m.mu.Unlock()
	m.Status.Forget(w.uid)
	if pod, _ := w.current(); m.Changes != nil {
		m.Changes.Gone(pod)
	}
	m.Images.Forget(w.uid)
	m.users.forget(w.uid)
}

// Pods returns the Pods that the manager works on, with their latest statuses.
func (m *Manager) Pods() []*corev1.Pod {
	m.mu.Lock()
	workers := make([]*worker, 0, len(m.workers))
	for _, w := range m.workers {
		workers = append(workers, w)
	}
	m.mu.Unlock()
	list := make([]*corev1.Pod, 0, len(workers))
	for _, w := range workers {
		pod, removed := w.current()
		if removed {
			continue
		}
		pod = pod.DeepCopy()
		pod.Status = m.Status.Latest(pod)
		list = append(list, pod)
	}
	return list
}

// Known returns the Pods that the API has, as it last gave them: shared, read only.
func (m *Manager) Known() []*corev1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]*corev1.Pod, 0, len(m.workers))
	for _, w := range m.workers {
		if pod, removed := w.current(); !removed {
			list = append(list, pod)
		}
	}
	return list
}

// Active returns the Pods that have not ended, as Known does.
func (m *Manager) Active() []*corev1.Pod { return slices.DeleteFunc(m.Known(), core.PodTerminal) }

// Seen is a Pod, and what the runtime was last seen to hold of it: both shared, read only.
type Seen struct {
	Pod     *corev1.Pod
	Runtime *runtime.Pod
	// Removed says that the API has it no more.
	Removed bool
}

// Seen returns all Pods that are worked on, those that the API has no more, too.
func (m *Manager) Seen() []Seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Seen, 0, len(m.workers))
	for _, w := range m.workers {
		w.mu.Lock()
		list = append(list, Seen{Pod: w.pod, Runtime: w.seen, Removed: w.removed})
		w.mu.Unlock()
	}
	return list
}

// Pod returns one Pod by namespace and name, and what the runtime was last seen to hold of it.
func (m *Manager) Pod(namespace, name string) (*corev1.Pod, *runtime.Pod, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found *worker
	for _, w := range m.workers {
		pod, removed := w.current()
		if pod.Namespace == namespace && pod.Name == name && !removed {
			found = w
		}
	}
	if found == nil {
		return nil, nil, fmt.Errorf("pod %s/%s is not on this node", namespace, name)
	}
	pod, _ := found.current()
	return pod, found.lastSeen(), nil
}

// Logs lists the logs that running containers write.
func (m *Manager) Logs() []logs.Log {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []logs.Log
	for _, w := range m.workers {
		for _, c := range w.lastSeen().Containers {
			if c.State == runtime.Running && c.LogPath != "" {
				list = append(list, logs.Log{ContainerID: c.ID, Path: c.LogPath})
			}
		}
	}
	return list
}

// Evict ends a Pod because the node needs what it uses.
func (m *Manager) Evict(uid types.UID, verdict status.Verdict) {
	m.mu.Lock()
	w := m.workers[uid]
	m.mu.Unlock()
	if w != nil {
		w.judge(verdict)
	}
}

func (m *Manager) nodeFacts() downward.Node {
	facts := downward.Node{Name: m.NodeName, IPs: m.HostIPs}
	if node := m.Node(); node != nil {
		facts.Allocatable = node.Status.Allocatable
	}
	return facts
}

// event records something about a Pod's container, or about the Pod where there is none.
func (m *Manager) event(pod *corev1.Pod, c *corev1.Container, kind, reason, format string, args ...any) {
	if pod.ResourceVersion == "" && pod.Spec.NodeName == "" {
		return // an orphan: the API does not know it
	}
	m.Recorder.Eventf(Reference(pod, c), kind, reason, format, args...)
}

// Reference is what Events about a Pod's container, or about the Pod where there is none, refer to.
func Reference(pod *corev1.Pod, c *corev1.Container) *corev1.ObjectReference {
	ref := &corev1.ObjectReference{
		Kind: "Pod", APIVersion: "v1", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}
	if c == nil {
		return ref
	}
	field := "spec.containers"
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == c.Name {
			field = "spec.initContainers"
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == c.Name {
			field = "spec.ephemeralContainers"
		}
	}
	ref.FieldPath = fmt.Sprintf("%s{%s}", field, c.Name)
	return ref
}

// Reasoned is an error that a waiting container shows by its reason.
type Reasoned struct {
	Reason string
	// Retry is when it makes sense to try again; zero for the usual pause.
	Retry time.Time
	Err   error
}

// Error is the cause's text.
func (r *Reasoned) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r *Reasoned) Unwrap() error { return r.Err }

func reasoned(reason string, err error) error {
	return &Reasoned{Reason: reason, Err: err}
}

// retryDelays are the pauses after failed steps.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 20 * time.Second
)
