package pods

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// worker moves one Pod through its life. Its loop observes and decides, and keeps the status current; what takes
// long is done beside it, one batch of actions at a time.
type worker struct {
	*Manager
	uid     types.UID
	wake    chan struct{}
	backoff backoffs
	told    map[string]string // the instance, by container name, whose restart was last told to be held back

	mu       sync.Mutex
	pod      *corev1.Pod
	removed  bool
	verdict  *status.Verdict
	seen     *runtime.Pod
	failures map[string]status.Waiting // why containers could not be started, by name
	actuated map[string]corev1.ResourceRequirements
	hooked   map[string]bool // containers whose preStop hook has run, by ID
	hooking  map[string]bool // containers whose postStart hook runs, by ID
	down     map[string]bool // sandboxes that were stopped by this process, by ID
	batch    *batch
	pauses   pauses
	accepted bool
	leaving  []*worker // of the Pods whose place this one takes
	// verdictTold says that the verdict was recorded.
	verdictTold bool
	// volumesKept says that this process keeps the Pod's volumes up to date.
	volumesKept bool
	// granted is what the Pod may use, by container; it lags behind the specification while a resize waits.
	granted       map[string]corev1.ResourceRequirements
	recalled      bool
	resizeFailure string
	startup       startup
}

func newWorker(m *Manager, pod *corev1.Pod) *worker {
	w := &worker{
		Manager: m, uid: pod.UID, pod: pod, wake: make(chan struct{}, 1), seen: &runtime.Pod{UID: pod.UID},
		failures: map[string]status.Waiting{}, told: map[string]string{}, actuated: map[string]corev1.ResourceRequirements{}, hooked: map[string]bool{}, hooking: map[string]bool{},
		down: map[string]bool{}, pauses: pauses{}, startup: newStartup(pod, time.Now()),
	}
	w.poke()
	return w
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// setPod tells of the Pod as it now is. What failed may work with a changed one.
func (w *worker) setPod(pod *corev1.Pod, removed bool) {
	w.mu.Lock()
	if removed != w.removed || pod.Generation != w.pod.Generation || !ptr.Equal(pod.DeletionGracePeriodSeconds, w.pod.DeletionGracePeriodSeconds) {
		clear(w.pauses)
	}
	w.pod = pod
	w.removed = w.removed || removed
	w.mu.Unlock()
	w.poke()
}

// roomMade makes a worker whose Pod waits for resources look again.
func (w *worker) roomMade() {
	w.mu.Lock()
	waiting := w.granted != nil && !sameResources(w.granted, resourcesOf(w.pod))
	w.mu.Unlock()
	if waiting {
		w.poke()
	}
}

func (w *worker) judge(v status.Verdict) {
	w.mu.Lock()
	if w.verdict == nil {
		w.verdict = &v
		clear(w.pauses)
	}
	w.mu.Unlock()
	w.poke()
}

func (w *worker) current() (pod *corev1.Pod, removed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pod, w.removed
}

func (w *worker) lastSeen() *runtime.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// run works until the Pod is gone or ctx ends.
func (w *worker) run(ctx context.Context) {
	ctx = klog.NewContext(ctx, klog.FromContext(ctx).WithValues("pod", klog.KObj(w.pod), "uid", w.uid))
	timer := time.NewTimer(0)
	defer timer.Stop()
	w.Metrics.WorkerStarted(len(w.pod.Spec.Containers), w.startup.seen)
	retry := time.Duration(0)
	for {
		select {
		case <-w.wake:
		case <-timer.C:
		case <-ctx.Done():
			w.halt()
			return
		}
		var again time.Duration
		var gone bool
		err := guard.Call("pod step", func() (err error) {
			again, gone, err = w.step(ctx)
			return err
		})
		if ctx.Err() != nil {
			continue
		}
		if gone {
			w.forget(w)
			return
		}
		if err != nil {
			retry = min(max(2*retry, firstRetry), lastRetry)
			again = retry
			klog.FromContext(ctx).Error(err, "Pod not brought further, trying again", "after", again)
		} else {
			retry = 0
		}
		timer.Stop()
		if again > 0 {
			timer.Reset(again)
		}
	}
}

// step is one round: observe, decide, report, act.
func (w *worker) step(ctx context.Context) (again time.Duration, gone bool, err error) {
	began := time.Now()
	w.mu.Lock()
	earlier := w.seen
	w.mu.Unlock()
	underWay := w.underWay()
	observed, err := w.observer.Observe(ctx, w.uid, earlier)
	if err != nil {
		return 0, false, err
	}
	w.mu.Lock()
	w.seen = observed
	w.mu.Unlock()
	f := w.facts(observed)
	var pending *corev1.PodCondition
	if !f.removed {
		f.pod, pending = w.entitled(ctx, f.pod, observed)
	}
	if verdict := w.admit(ctx, f); verdict != nil {
		f.verdict = verdict
	}
	p := decide(f)
	if p.verdict != nil {
		w.judgeQuietly(f.pod, p.verdict)
	}
	if !p.finishing && w.waits() {
		p.actions = nil
		p.lookAgain(leaveEvery)
	}
	w.watchProbes(f, p)
	w.tellBackoffs(f, p)
	if !f.removed {
		w.report(f, p, pending)
	}
	again, gone, err = w.act(ctx, f, p, underWay)
	if err == nil && !gone && w.underWay() == nil {
		w.Metrics.Worked(metrics.Sync, began)
	}
	return again, gone, err
}

func (w *worker) facts(observed *runtime.Pod) facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.Status.Latest(w.pod)
	return facts{
		pod: w.pod, runtime: observed, now: time.Now(), backoff: &w.backoff, verdict: w.verdict, removed: w.removed,
		old: old, actuated: maps.Clone(w.actuated), down: maps.Clone(w.down),
		startup: func(id string) *bool {
			if startup, _, _ := w.Probes.Findings(id); startup != nil || !hasStarted(&old, id) {
				return startup
			}
			return ptr.To(true)
		},
		liveness: func(id string) *bool {
			_, _, liveness := w.Probes.Findings(id)
			return liveness
		},
	}
}

// hasStarted tells whether a status says of a container instance that it has started. It stays so when another process takes over, which
// does not know what the startup probe said.
func hasStarted(s *corev1.PodStatus, id string) bool {
	for _, list := range [][]corev1.ContainerStatus{s.InitContainerStatuses, s.ContainerStatuses} {
		for i := range list {
			if _, known, _ := strings.Cut(list[i].ContainerID, "://"); known == id {
				return list[i].Started != nil && *list[i].Started
			}
		}
	}
	return false
}

// judgeQuietly remembers a verdict and records it once.
func (w *worker) judgeQuietly(pod *corev1.Pod, v *status.Verdict) {
	w.mu.Lock()
	first := !w.verdictTold
	w.verdict, w.verdictTold = v, true
	w.mu.Unlock()
	if !first {
		return
	}
	kind := corev1.EventTypeNormal
	if v.Warning {
		kind = corev1.EventTypeWarning
	}
	w.event(pod, nil, kind, v.Reason, "%s", strings.TrimPrefix(v.Message, "Pod was rejected: "))
}

// tellBackoffs records each held back restart once.
func (w *worker) tellBackoffs(f facts, p plan) {
	for name := range p.waiting {
		newest := f.runtime.Container(name)
		if newest == nil || w.told[name] == newest.ID {
			continue
		}
		w.told[name] = newest.ID
		w.event(f.pod, &corev1.Container{Name: name}, corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container %s in pod %s", name, podTitle(f.pod))
	}
}

func (w *worker) watchProbes(f facts, p plan) {
	// A container that is being stopped needs no health, but readiness counts to the end.
	if p.done || f.removed {
		w.Probes.Forget(w.uid)
		return
	}
	w.Probes.Watch(f.pod, w.outward(f.runtime))
}

// outward is the runtime's picture without containers whose postStart hook has not ended: they do not count as started.
func (w *worker) outward(observed *runtime.Pod) *runtime.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.hooking) == 0 {
		return observed
	}
	shown := *observed
	shown.Containers = slices.Clone(observed.Containers)
	for i, c := range shown.Containers {
		if w.hooking[c.ID] && c.State == runtime.Running {
			starting := *c
			starting.State = runtime.Created
			shown.Containers[i] = &starting
		}
	}
	return &shown
}

// report sets the status that follows from what was observed.
func (w *worker) report(f facts, p plan, pending *corev1.PodCondition) {
	w.mu.Lock()
	waiting := maps.Clone(w.failures)
	maps.Copy(waiting, p.waiting)
	actuated, failure := maps.Clone(w.actuated), w.resizeFailure
	w.mu.Unlock()
	rendered := status.Render(status.Input{
		Pod: f.pod, Old: f.old, Runtime: w.outward(f.runtime), RuntimeName: w.RuntimeName,
		Probes: func(id string) status.Probes {
			startup, readiness, _ := w.Probes.Findings(id)
			return status.Probes{Started: startup, Ready: readiness}
		},
		Waiting: waiting, Actuated: actuated, RecursiveReadOnly: w.RecursiveReadOnly, HostIPs: w.HostIPs,
		QOS: core.QOSClass(f.pod), Finishing: p.finishing, Done: p.done, Verdict: p.verdict, Now: f.now, RestartsAll: p.restartsAll,
		Resize: resizeConditions(f, p, pending, failure),
	})
	w.hasReported(f.old.Phase, rendered.Phase)
	w.Status.Set(f.pod, rendered)
	if w.Changes != nil {
		w.Changes.Pod(f.pod, rendered)
	}
}

// graceSeconds is how long a Pod's containers have to stop.
func graceSeconds(pod *corev1.Pod) int64 {
	switch {
	case pod.DeletionGracePeriodSeconds != nil:
		return *pod.DeletionGracePeriodSeconds
	case pod.Spec.TerminationGracePeriodSeconds != nil:
		return *pod.Spec.TerminationGracePeriodSeconds
	}
	return corev1.DefaultTerminationGracePeriodSeconds
}
