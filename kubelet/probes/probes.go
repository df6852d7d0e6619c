// Package probes asks running containers whether they have started, are ready and are alive, and remembers what was
// found. One heap of due times serves all probes of the node.
package probes

import (
	"container/heap"
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// Outcome is the answer to one question.
type Outcome string

// The outcomes. Broken means that the question could not be asked: it is reported, and says nothing about the container.
const (
	Healthy   Outcome = "healthy"
	Unhealthy Outcome = "unhealthy"
	Warned    Outcome = "warned"
	Broken    Outcome = "broken"
)

// Kind is what a probe decides about.
type Kind string

// The kinds of probes.
const (
	Startup   Kind = "Startup"
	Readiness Kind = "Readiness"
	Liveness  Kind = "Liveness"
)

// Target is whom a probe asks.
type Target struct {
	Pod         *corev1.Pod
	Container   *corev1.Container
	ContainerID string
	PodIP       string
}

// Checker asks once.
type Checker interface {
	Check(ctx context.Context, t Target, probe *corev1.Probe) (Outcome, string)
}

// Reporter hears of every question that was not answered well, for Events.
type Reporter func(t Target, kind Kind, outcome Outcome, output string)

// Probes runs the probes of all containers of a node.
type Probes struct {
	checker  Checker
	report   Reporter
	onChange func(pod types.UID)
	hostIP   string
	counts   *counts

	mu       sync.Mutex
	due      queue
	probes   map[key]*probe
	findings map[string]map[Kind]bool // by container ID
	wake     chan struct{}
}

type key struct {
	pod       types.UID
	container string // ID
	kind      Kind
}

// probe is one question asked again and again. The lock of Probes guards all but the constant fields.
type probe struct {
	key    key
	target Target
	spec   *corev1.Probe
	period time.Duration

	at        time.Time // when it is due
	index     int       // in the heap; -1 while it is asked or held
	good, bad int32     // consecutive answers
	dropped   bool
}

// New returns probes that do nothing yet. onChange is called without locks when a finding changed. hostIP is asked for
// Pods of the host's network.
func New(checker Checker, hostIP string, report Reporter, onChange func(pod types.UID)) *Probes {
	return &Probes{
		checker: checker, hostIP: hostIP, report: report, onChange: onChange, counts: newCounts(),
		probes: map[key]*probe{}, findings: map[string]map[Kind]bool{}, wake: make(chan struct{}, 1),
	}
}

// Findings returns what is known of a container instance, nil where nothing is.
func (p *Probes) Findings(containerID string) (startup, readiness, liveness *bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	get := func(k Kind) *bool {
		if v, ok := p.findings[containerID][k]; ok {
			return &v
		}
		return nil
	}
	return get(Startup), get(Readiness), get(Liveness)
}

// Watch probes the Pod's running containers, those of the newest instances, and no others of the Pod. Of a Pod that is
// being deleted only readiness is asked for. Idempotent.
func (p *Probes) Watch(pod *corev1.Pod, observed *runtime.Pod) {
	ip := p.hostIP
	if !pod.Spec.HostNetwork {
		if ips := observed.IPs(); len(ips) > 0 {
			ip = ips[0]
		} else {
			ip = pod.Status.PodIP
		}
	}
	wanted := map[key]bool{}
	p.mu.Lock()
	defer p.mu.Unlock()
	core.Containers(&pod.Spec, func(c *corev1.Container) bool {
		instance := observed.Container(c.Name)
		if instance == nil || instance.State != runtime.Running {
			return true
		}
		t := Target{Pod: pod, Container: c, ContainerID: instance.ID, PodIP: ip}
		for kind, spec := range map[Kind]*corev1.Probe{Startup: c.StartupProbe, Readiness: c.ReadinessProbe, Liveness: c.LivenessProbe} {
			if spec == nil || pod.DeletionTimestamp != nil && kind != Readiness {
				continue
			}
			k := key{pod.UID, instance.ID, kind}
			wanted[k] = true
			p.add(k, t, spec, instance.StartedAt)
		}
		return true
	})
	for k := range p.probes {
		if k.pod == pod.UID && !wanted[k] {
			p.drop(k)
		}
	}
}

// Forget ends all probes of a Pod.
func (p *Probes) Forget(pod types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.probes {
		if k.pod == pod {
			p.drop(k)
		}
	}
}

func (p *Probes) add(k key, t Target, spec *corev1.Probe, started time.Time) {
	if known := p.probes[k]; known != nil {
		known.target = t
		return
	}
	q := &probe{key: k, target: t, spec: spec, period: time.Duration(max(spec.PeriodSeconds, 1)) * time.Second, index: -1}
	if now := time.Now(); started.After(now) {
		started = now // the clock went back since
	}
	q.at = started.Add(time.Duration(spec.InitialDelaySeconds) * time.Second)
	p.probes[k] = q
	if k.kind == Startup && reportedStarted(t) {
		p.find(q, true)
		return
	}
	if k.kind == Startup || t.Container.StartupProbe == nil || p.findings[k.container][Startup] {
		p.schedule(q)
	}
}

// reportedStarted says whether this instance of a container was known to have started, by this process or an earlier one. Then it is
// not asked again: what its startup probe looks for may be long gone.
func reportedStarted(t Target) bool {
	for _, list := range [][]corev1.ContainerStatus{t.Pod.Status.ContainerStatuses, t.Pod.Status.InitContainerStatuses} {
		for _, s := range list {
			_, id, _ := strings.Cut(s.ContainerID, "://")
			if s.Name == t.Container.Name && id == t.ContainerID && s.Started != nil {
				return *s.Started
			}
		}
	}
	return false
}

func (p *Probes) schedule(q *probe) {
	heap.Push(&p.due, q)
	if q.index == 0 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *Probes) drop(k key) {
	q := p.probes[k]
	q.dropped = true
	if q.index >= 0 {
		heap.Remove(&p.due, q.index)
	}
	delete(p.probes, k)
	p.counts.forget(q.target, k.kind)
	for other := range p.probes {
		if other.container == k.container {
			return
		}
	}
	delete(p.findings, k.container)
}

// Run asks until ctx ends, and returns when the last question was answered.
func (p *Probes) Run(ctx context.Context) {
	var asking guard.Group
	defer asking.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.wake:
		}
		next := p.askDue(ctx, &asking)
		timer.Stop()
		if next >= 0 {
			timer.Reset(next)
		}
	}
}

// askDue asks what is due and returns how long nothing else is; -1 where nothing waits.
func (p *Probes) askDue(ctx context.Context, asking *guard.Group) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.due) > 0 {
		q := p.due[0]
		if wait := time.Until(q.at); wait > 0 {
			return wait
		}
		heap.Pop(&p.due)
		target := q.target
		asking.GoThen("probing", func() error { p.ask(ctx, q, target); return nil }, func(err error) {
			if err != nil {
				p.again(q)
			}
		})
	}
	return -1
}

func (p *Probes) ask(ctx context.Context, q *probe, t Target) {
	timeout := time.Duration(max(q.spec.TimeoutSeconds, 1)) * time.Second
	limited, cancel := context.WithTimeout(ctx, timeout)
	began := time.Now()
	outcome, output := p.check(limited, t, q.spec)
	cancel()
	took := time.Since(began)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	dropped := q.dropped
	if !dropped {
		p.counts.count(t, q.key.kind, outcome, took)
	}
	p.mu.Unlock()
	if dropped {
		return
	}
	if outcome != Healthy && p.report != nil {
		p.report(t, q.key.kind, outcome, output)
	}
	if outcome == Broken {
		p.again(q)
		return
	}
	if p.settle(q, outcome == Healthy || outcome == Warned) {
		p.onChange(q.key.pod)
	}
}

// check asks. A question that panics could not be asked, and is asked again.
func (p *Probes) check(ctx context.Context, t Target, spec *corev1.Probe) (outcome Outcome, output string) {
	err := guard.Call("asking a container", func() error {
		outcome, output = p.checker.Check(ctx, t, spec)
		return nil
	})
	if err != nil {
		return Broken, err.Error()
	}
	return outcome, output
}

// again schedules the next question, with no answer to the last.
func (p *Probes) again(q *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !q.dropped {
		p.scheduleNext(q)
	}
}

// settle counts an answer and schedules the next question. It returns whether a finding changed.
func (p *Probes) settle(q *probe, good bool) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.dropped {
		return false
	}
	if good {
		q.good, q.bad = q.good+1, 0
	} else {
		q.good, q.bad = 0, q.bad+1
	}
	if good && q.good >= max(q.spec.SuccessThreshold, 1) || !good && q.bad >= max(q.spec.FailureThreshold, 1) {
		changed = p.find(q, good)
		if q.key.kind != Readiness && !good || q.key.kind == Startup {
			return changed // settled for this instance
		}
	}
	p.scheduleNext(q)
	return changed
}

func (p *Probes) scheduleNext(q *probe) {
	q.at = q.at.Add(q.period)
	if now := time.Now(); q.at.Before(now) {
		q.at = now.Add(q.period)
	}
	p.schedule(q)
}

func (p *Probes) find(q *probe, good bool) (changed bool) {
	found := p.findings[q.key.container]
	if found == nil {
		found = map[Kind]bool{}
		p.findings[q.key.container] = found
	}
	before, known := found[q.key.kind]
	found[q.key.kind] = good
	if q.key.kind == Startup && good {
		// The others have waited for this.
		for _, kind := range []Kind{Readiness, Liveness} {
			if other := p.probes[key{q.key.pod, q.key.container, kind}]; other != nil && other.index < 0 {
				if now := time.Now(); other.at.Before(now) {
					other.at = now
				}
				p.schedule(other)
			}
		}
	}
	return !known || before != good
}

// queue is a heap by due time.
type queue []*probe

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	p := x.(*probe)
	p.index = len(*q)
	*q = append(*q, p)
}

func (q *queue) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	p.index = -1
	return p
}
