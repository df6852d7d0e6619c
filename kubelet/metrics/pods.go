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
		"Number of pods that have been restarted because they were deleted and recreated with the same UID while the kubelet was watching them (common for static pods, extremely uncommon for API pods)",
		"static").WithLabelValues("") // there are none: a UID never comes back, and there are no static Pods
	return pods{
		work:        m.histogram("kubelet_pod_worker_duration_seconds", "Duration in seconds to sync a single pod. Broken down by operation type: create, update, or sync", metrics.DefBuckets, "operation_type"),
		start:       m.histogram("kubelet_pod_start_duration_seconds", "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run", startBuckets),
		startSLI:    m.histogram("kubelet_pod_start_sli_duration_seconds", "Duration in seconds to start a pod, excluding time to pull images and run init containers, measured from pod creation timestamp to when all its containers are reported as started and observed via watch", startBuckets),
		startTotal:  m.histogram("kubelet_pod_start_total_duration_seconds", "Duration in seconds to start a pod since creation, including time to pull images and run init containers, measured from pod creation timestamp to when all its containers are reported as started and observed via watch", startBuckets),
		workerStart: m.histogram("kubelet_pod_worker_start_duration_seconds", "Duration in seconds from kubelet seeing a pod to starting a worker.", metrics.DefBuckets),
		containers:  m.histogram("kubelet_containers_per_pod_count", "The number of containers per pod.", metrics.ExponentialBuckets(1, 2, 5)),
		statusSync: m.histogram("kubelet_pod_status_sync_duration_seconds", "Duration in seconds to sync a pod status update. Measures time from detection of a change to pod status until the API is successfully updated for that pod, even if multiple intevening changes to pod status occur.",
			[]float64{0.010, 0.050, 0.100, 0.500, 1, 5, 10, 20, 30, 45, 60}),
		startedPods:    m.count("kubelet_started_pods_total", "Cumulative number of pods started"),
		failedPods:     m.count("kubelet_started_pods_errors_total", "Cumulative number of errors when starting pods"),
		userNamespaced: m.count("kubelet_started_user_namespaced_pods_total", "Cumulative number of pods with user namespaces started. This metric will only be collected on Linux."),
		orphans:        m.count("kubelet_orphaned_runtime_pods_total", "Number of pods that have been detected in the container runtime without being already known to the pod worker. This typically indicates the kubelet was restarted while a pod was force deleted in the API or in the local configuration, which is unusual."),
		started:        m.counter("kubelet_started_containers_total", "Cumulative number of containers started", "container_type"),
		failed:         m.counter("kubelet_started_containers_errors_total", "Cumulative number of errors when starting containers", "container_type", "code"),
		ended:          m.counter("kubelet_terminated_containers_total", "Cumulative number of container terminations.", "container_type", "exit_code", "reason"),
		rejected:       m.counter("kubelet_admission_rejections_total", "Cumulative number pod admission rejections by the Kubelet.", "reason"),
		preempted:      m.counter("kubelet_preemptions", "Cumulative number of pod preemptions by preemption resource", "preemption_signal"),
		relist:         m.histogram("kubelet_pleg_relist_duration_seconds", "Duration in seconds for relisting pods in PLEG.", metrics.DefBuckets),
		relistInterval: m.histogram("kubelet_pleg_relist_interval_seconds", "Interval in seconds between relisting in PLEG.", metrics.DefBuckets),
		eventStreams:   m.count("kubelet_evented_pleg_connection_success_count", "The number of times a streaming client was obtained to receive CRI Events."),
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
