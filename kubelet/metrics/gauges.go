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

const ofPriority = "priority_bucket: system-critical from 2000000000 on, high from 100000, medium from 1, normal 0, low from -999, very-low below."

const ofTTL = ": negative when it has expired, +Inf where there is none."

// gauges have upstream's names and labels.
var gauges = []gauge{
	newGauge("kubelet_running_pods", "Pods whose sandbox is ready.", nil, number(func(f *Figures) int { return f.RunningPods })),
	newGauge("kubelet_running_containers", "Containers that the runtime knows, by state.", []string{"container_state"}, func(f *Figures, emit emit) {
		for state, n := range f.Containers {
			emit(float64(n), state)
		}
	}),
	newGauge("kubelet_desired_pods", "Pods that are bound to this node; static is empty, as all come from the API.",
		[]string{"static"}, notStatic(func(f *Figures) int { return f.Desired })),
	newGauge("kubelet_active_pods", "Pods of this node that have not ended: those whose requests count when another one comes.",
		[]string{"static"}, notStatic(func(f *Figures) int { return f.Active })),
	newGauge("kubelet_mirror_pods", "Static Pods with a mirror in the API; none, as there are no static Pods.", nil, number(func(*Figures) int { return 0 })),
	newGauge("kubelet_managed_ephemeral_containers", "Ephemeral containers in the Pods of this node.", nil, number(func(f *Figures) int { return f.Ephemeral })),
	newGauge("kubelet_pod_pending_resizes", "Resizes of Pods that wait. "+ofPriority, []string{"reason", "priority_bucket"}, func(f *Figures, emit emit) {
		for kind, n := range f.PendingResizes {
			emit(float64(n), kind.Reason, kind.Priority)
		}
	}),
	newGauge("kubelet_pod_in_progress_resizes", "Resizes of Pods that were accepted and are under way.", nil, number(func(f *Figures) int { return f.RunningResizes })),
	newGauge("kubelet_cgroup_version", "Version of the control groups of this machine: 1 or 2.", nil, number(func(f *Figures) int { return f.CgroupVersion })),
	ofVolume("kubelet_volume_stats_capacity_bytes", "Size of a claim's volume.", func(v *Volume) int64 { return v.Bytes }),
	ofVolume("kubelet_volume_stats_available_bytes", "What can still be written to a claim's volume.", func(v *Volume) int64 { return v.Available }),
	ofVolume("kubelet_volume_stats_used_bytes", "What a claim's volume holds.", func(v *Volume) int64 { return v.Used }),
	ofVolume("kubelet_volume_stats_inodes", "Inodes that a claim's volume can have.", func(v *Volume) int64 { return v.Inodes }),
	ofVolume("kubelet_volume_stats_inodes_free", "Inodes that are left on a claim's volume.", func(v *Volume) int64 { return v.InodesFree }),
	ofVolume("kubelet_volume_stats_inodes_used", "Inodes in use on a claim's volume.", func(v *Volume) int64 { return v.InodesUsed }),
	newGauge("kubelet_container_log_filesystem_used_bytes", "What the logs of a container take on disk, rotated ones among them.", []string{"uid", "namespace", "pod", "container"}, func(f *Figures, emit emit) {
		for _, l := range f.Logs {
			emit(float64(l.Bytes), l.UID, l.Namespace, l.Pod, l.Container)
		}
	}),
	newGauge("kubelet_podcertificate_states", "Certificates in projected volumes of Pods, by signer and state.", []string{"signer_name", "state"}, func(f *Figures, emit emit) {
		for kind, n := range f.PodCertificates {
			emit(float64(n), kind.Signer, kind.State)
		}
	}),
	newGauge("kubelet_certificate_manager_server_ttl_seconds", "How long the serving certificate is valid still"+ofTTL, nil, func(f *Figures, emit emit) { emit(f.ServerTTL) }),
	newGauge("kubelet_certificate_manager_client_ttl_seconds", "How long the client certificate is valid still"+ofTTL, nil, func(f *Figures, emit emit) { emit(f.ClientTTL) }),
	ofMemory("kubelet_memory_qos_node_memory_min_bytes", "Sum of memory.min of all Guaranteed Pods, which the kernel never takes back (cgroup v2).",
		func(f *Figures) *int64 { return f.ProtectedMemory }),
	ofMemory("kubelet_memory_qos_node_memory_low_bytes", "Sum of memory.low of all Burstable Pods, which the kernel takes back last (cgroup v2).",
		func(f *Figures) *int64 { return f.PreferredMemory }),
}
