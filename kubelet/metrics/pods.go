package metrics

import (
	"strconv"
	"time"

	"k8s.io/component-base/metrics"
)

// The kinds of containers, as labels have them.
const (
	Container          = "container"
	InitContainer      = "init_container"
	EphemeralContainer = "ephemeral_container"
	podSandbox         = "pod_sandbox"
)

// What a worker does for a Pod, as labels have it.
const (
	Create     = "create"     // starts its sandbox, and what it can in it
	Update     = "update"     // does something else to what runs
	Sync       = "sync"       // looks, and has nothing to do
	Terminated = "terminated" // takes away what is left
)

// startBuckets are for the time that Pods take to start.
var startBuckets = []float64{0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600}

// pods are metrics of what workers do.
type pods struct {
	work, start, startSLI, startTotal, workerStart, containers, statusSync *metrics.HistogramVec
	startedPods, failedPods, userNamespaced, orphans                       *metrics.Counter
	started, failed, ended, rejected, preempted                            *metrics.CounterVec
	relist, relistInterval                                                 *metrics.HistogramVec
	eventStreams                                                           *metrics.Counter
}

func (m *Metrics) newPods() pods {
	m.counter("kubelet_restarted_pods_total",
		"Pods that came back under the UID of one that was deleted; none, as only static Pods do.",
		"static").WithLabelValues("") // there are none: a UID never comes back, and there are no static Pods
	return pods{
		work:        m.histogram("kubelet_pod_worker_duration_seconds", "Time that one sync of a Pod took, by kind.", metrics.DefBuckets, "operation_type"),
		start:       m.histogram("kubelet_pod_start_duration_seconds", "Time from when the kubelet first saw a Pod until it ran.", startBuckets),
		startSLI:    m.histogram("kubelet_pod_start_sli_duration_seconds", "Time from a Pod's creation until its running containers were seen in the API, without pulls and init containers.", startBuckets),
		startTotal:  m.histogram("kubelet_pod_start_total_duration_seconds", "Time from a Pod's creation until its running containers were seen in the API, with pulls and init containers.", startBuckets),
		workerStart: m.histogram("kubelet_pod_worker_start_duration_seconds", "Time from when the kubelet first saw a Pod until its worker began.", metrics.DefBuckets),
		containers:  m.histogram("kubelet_containers_per_pod_count", "Containers of each Pod that was started.", metrics.ExponentialBuckets(1, 2, 5)),
		statusSync: m.histogram("kubelet_pod_status_sync_duration_seconds", "Time from a change of a Pod's status until the API had it, further changes meanwhile included.",
			[]float64{0.010, 0.050, 0.100, 0.500, 1, 5, 10, 20, 30, 45, 60}),
		startedPods:    m.count("kubelet_started_pods_total", "Sandboxes that were started."),
		failedPods:     m.count("kubelet_started_pods_errors_total", "Sandboxes that could not be started."),
		userNamespaced: m.count("kubelet_started_user_namespaced_pods_total", "Sandboxes with a user namespace that were started."),
		orphans:        m.count("kubelet_orphaned_runtime_pods_total", "Sandboxes that the runtime had and no Pod did: left by a kubelet that was away when the Pod was deleted."),
		started:        m.counter("kubelet_started_containers_total", "Containers that were started, by type.", "container_type"),
		failed:         m.counter("kubelet_started_containers_errors_total", "Containers that could not be started, by type and reason.", "container_type", "code"),
		ended:          m.counter("kubelet_terminated_containers_total", "Containers that ended, by type, exit code and reason.", "container_type", "exit_code", "reason"),
		rejected:       m.counter("kubelet_admission_rejections_total", "Pods that the kubelet refused, by reason.", "reason"),
		preempted:      m.counter("kubelet_preemptions", "Pods that made room for a critical one, by the resource that it needed.", "preemption_signal"),
		relist:         m.histogram("kubelet_pleg_relist_duration_seconds", "Time that listing all sandboxes and containers took.", metrics.DefBuckets),
		relistInterval: m.histogram("kubelet_pleg_relist_interval_seconds", "Time between two such lists.", metrics.DefBuckets),
		eventStreams:   m.count("kubelet_evented_pleg_connection_success_count", "Times that a stream of the runtime's events began."),
	}
}

// Worked counts what a worker did for a Pod since then.
func (m *Metrics) Worked(operation string, since time.Time) {
	if m != nil {
		m.pods.work.WithLabelValues(operation).Observe(time.Since(since).Seconds())
	}
}

// WorkerStarted counts a Pod whose worker begins, of so many containers, that has been known since then.
func (m *Metrics) WorkerStarted(containers int, since time.Time) {
	if m != nil {
		m.pods.containers.WithLabelValues().Observe(float64(containers))
		m.pods.workerStart.WithLabelValues().Observe(time.Since(since).Seconds())
	}
}

// Running counts a Pod that has come to run, and was first seen then.
func (m *Metrics) Running(seen time.Time) {
	if m != nil {
		m.pods.start.WithLabelValues().Observe(time.Since(seen).Seconds())
	}
}

// Started counts a Pod all of whose containers the API knows to have started, after so long. sli is that without what images and init
// containers took; only Pods without state have one.
func (m *Metrics) Started(total, sli time.Duration, stateless bool) {
	if m == nil {
		return
	}
	m.pods.startTotal.WithLabelValues().Observe(total.Seconds())
	if stateless {
		m.pods.startSLI.WithLabelValues().Observe(sli.Seconds())
	}
}

// SandboxStarted counts an attempt to start a Pod's sandbox.
func (m *Metrics) SandboxStarted(err error, userNamespace bool) {
	if m == nil {
		return
	}
	m.pods.startedPods.Inc()
	if userNamespace {
		m.pods.userNamespaced.Inc()
	}
	if err != nil {
		m.pods.failedPods.Inc()
		m.pods.failed.WithLabelValues(podSandbox, "ErrCreatePodSandbox").Inc()
	}
}

// ContainerStarted counts an attempt to start a container, with the reason why it failed, if it did.
func (m *Metrics) ContainerStarted(kind, reason string) {
	if m == nil {
		return
	}
	m.pods.started.WithLabelValues(kind).Inc()
	if reason != "" {
		m.pods.failed.WithLabelValues(kind, reason).Inc()
	}
}

// ContainerEnded counts a container that has ended.
func (m *Metrics) ContainerEnded(kind string, exitCode int32, reason string) {
	if m != nil {
		m.pods.ended.WithLabelValues(kind, strconv.Itoa(int(exitCode)), reason).Inc()
	}
}

// StatusWritten counts a status that the API now has, and that has been due since then.
func (m *Metrics) StatusWritten(since time.Time) {
	if m != nil {
		m.pods.statusSync.WithLabelValues().Observe(time.Since(since).Seconds())
	}
}

// Rejected counts a Pod that cannot run here.
func (m *Metrics) Rejected(reason string) {
	if m != nil {
		m.pods.rejected.WithLabelValues(rejection(reason)).Inc()
	}
}

// Preempted counts a Pod that goes for a critical one, which lacks that resource.
func (m *Metrics) Preempted(resource string) {
	if m != nil {
		m.pods.preempted.WithLabelValues(resource).Inc()
	}
}

// Orphan counts a Pod that only the runtime knows.
func (m *Metrics) Orphan() {
	if m != nil {
		m.pods.orphans.Inc()
	}
}

// Relisted counts a look at all that the runtime holds, which began then, and the one before it before; zero for none.
func (m *Metrics) Relisted(began, before time.Time) {
	if m == nil {
		return
	}
	m.pods.relist.WithLabelValues().Observe(time.Since(began).Seconds())
	if !before.IsZero() {
		m.pods.relistInterval.WithLabelValues().Observe(began.Sub(before).Seconds())
	}
}

// EventStream counts a stream of the runtime's events that began.
func (m *Metrics) EventStream() {
	if m != nil {
		m.pods.eventStreams.Inc()
	}
}
