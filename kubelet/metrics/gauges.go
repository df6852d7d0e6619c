package metrics

import "github.com/prometheus/client_golang/prometheus"

// emit takes a sample with the values of its labels.
type emit func(value float64, labels ...string)

type gauge struct {
	desc    *prometheus.Desc
	samples func(f *Figures, emit emit)
}

func newGauge(name, help string, labels []string, samples func(*Figures, emit)) gauge {
	return gauge{prometheus.NewDesc(name, "[ALPHA] "+help, labels, nil), samples}
}

func number(of func(*Figures) int) func(*Figures, emit) {
	return func(f *Figures, emit emit) { emit(float64(of(f))) }
}

// notStatic is the label of Pods that come from the API: there are no others.
func notStatic(of func(*Figures) int) func(*Figures, emit) {
	return func(f *Figures, emit emit) { emit(float64(of(f)), "") }
}

func ofVolume(name, help string, of func(*Volume) int64) gauge {
	return newGauge(name, help, []string{"namespace", "persistentvolumeclaim"}, func(f *Figures, emit emit) {
		for i := range f.Volumes {
			v := &f.Volumes[i]
			emit(float64(of(v)), v.Namespace, v.Claim)
		}
	})
}

func ofMemory(name, help string, of func(*Figures) *int64) gauge {
	return newGauge(name, help, nil, func(f *Figures, emit emit) {
		if bytes := of(f); bytes != nil {
			emit(float64(*bytes))
		}
	})
}

const ofPriority = "Label 'priority_bucket' classifies the pod priority (system-critical: >=2000000000, high: 100000..1999999999, medium: 1..99999, normal: 0/default, low: -999..-1, very-low: <=-1000, unknown: nil pod). Label 'reason' describes the state (deferred, infeasible)."

const ofTTL = "The value is in seconds until certificate expiry (negative if already expired). "

// gauges have upstream's words.
var gauges = []gauge{
	newGauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", nil, number(func(f *Figures) int { return f.RunningPods })),
	newGauge("kubelet_running_containers", "Number of containers currently running", []string{"container_state"}, func(f *Figures, emit emit) {
		for state, n := range f.Containers {
			emit(float64(n), state)
		}
	}),
	newGauge("kubelet_desired_pods", "The number of pods the kubelet is being instructed to run. static is true if the pod is not from the apiserver.",
		[]string{"static"}, notStatic(func(f *Figures) int { return f.Desired })),
	newGauge("kubelet_active_pods", "The number of pods the kubelet considers active and which are being considered when admitting new pods. static is true if the pod is not from the apiserver.",
		[]string{"static"}, notStatic(func(f *Figures) int { return f.Active })),
	newGauge("kubelet_mirror_pods", "The number of mirror pods the kubelet will try to create (one per admitted static pod)", nil, number(func(*Figures) int { return 0 })),
	newGauge("kubelet_managed_ephemeral_containers", "Current number of ephemeral containers in pods managed by this kubelet.", nil, number(func(f *Figures) int { return f.Ephemeral })),
	newGauge("kubelet_pod_pending_resizes", "Number of pending resizes for pods. "+ofPriority, []string{"reason", "priority_bucket"}, func(f *Figures, emit emit) {
		for kind, n := range f.PendingResizes {
			emit(float64(n), kind.Reason, kind.Priority)
		}
	}),
	newGauge("kubelet_pod_in_progress_resizes", "Number of in-progress resizes for pods.", nil, number(func(f *Figures) int { return f.RunningResizes })),
	newGauge("kubelet_cgroup_version", "cgroup version on the hosts.", nil, number(func(f *Figures) int { return f.CgroupVersion })),
	ofVolume("kubelet_volume_stats_capacity_bytes", "Capacity in bytes of the volume", func(v *Volume) int64 { return v.Bytes }),
	ofVolume("kubelet_volume_stats_available_bytes", "Number of available bytes in the volume", func(v *Volume) int64 { return v.Available }),
	ofVolume("kubelet_volume_stats_used_bytes", "Number of used bytes in the volume", func(v *Volume) int64 { return v.Used }),
	ofVolume("kubelet_volume_stats_inodes", "Maximum number of inodes in the volume", func(v *Volume) int64 { return v.Inodes }),
	ofVolume("kubelet_volume_stats_inodes_free", "Number of free inodes in the volume", func(v *Volume) int64 { return v.InodesFree }),
	ofVolume("kubelet_volume_stats_inodes_used", "Number of used inodes in the volume", func(v *Volume) int64 { return v.InodesUsed }),
	newGauge("kubelet_container_log_filesystem_used_bytes", "Bytes used by the container's logs on the filesystem.", []string{"uid", "namespace", "pod", "container"}, func(f *Figures, emit emit) {
		for _, l := range f.Logs {
			emit(float64(l.Bytes), l.UID, l.Namespace, l.Pod, l.Container)
		}
	}),
	newGauge("kubelet_podcertificate_states", "Gauge vector reporting the number of pod certificate projected volume sources, faceted by signer_name and state.", []string{"signer_name", "state"}, func(f *Figures, emit emit) {
		for kind, n := range f.PodCertificates {
			emit(float64(n), kind.Signer, kind.State)
		}
	}),
	newGauge("kubelet_certificate_manager_server_ttl_seconds", "Gauge of the shortest TTL (time-to-live) of the Kubelet's serving certificate. "+ofTTL+
		"If serving certificate is invalid or unused, the value will be +INF.", nil, func(f *Figures, emit emit) { emit(f.ServerTTL) }),
	newGauge("kubelet_certificate_manager_client_ttl_seconds", "Gauge of the TTL (time-to-live) of the Kubelet's client certificate. "+ofTTL+
		"If client certificate is invalid or unused, the value will be +INF.", nil, func(f *Figures, emit emit) { emit(f.ClientTTL) }),
	ofMemory("kubelet_memory_qos_node_memory_min_bytes", "Total cgroup v2 memory.min in bytes for Guaranteed pods. This memory is hard-reserved and never reclaimed by the kernel.",
		func(f *Figures) *int64 { return f.ProtectedMemory }),
	ofMemory("kubelet_memory_qos_node_memory_low_bytes", "Total cgroup v2 memory.low in bytes for Burstable pods. This memory is soft-reserved and may be reclaimed under extreme pressure.",
		func(f *Figures) *int64 { return f.PreferredMemory }),
}
