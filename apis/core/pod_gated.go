package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/feature"
)

// GatedPodSpec are the fields of pods, and of the templates of pods, whose features are off by default.
func GatedPodSpec() []feature.Field[*corev1.PodSpec] {
	return []feature.Field[*corev1.PodSpec]{
		{
			Gate:  feature.GenericWorkload,
			InUse: func(s *corev1.PodSpec) bool { return s.SchedulingGroup != nil },
			Drop:  func(s *corev1.PodSpec) { s.SchedulingGroup = nil },
		},
		{Gate: feature.ContainerStopSignals, InUse: usesStopSignals, Drop: dropStopSignals},
		{
			Gate:  feature.EvictionRequestAPI,
			InUse: func(s *corev1.PodSpec) bool { return len(s.EvictionResponders) > 0 },
			Drop:  func(s *corev1.PodSpec) { s.EvictionResponders = nil },
		},
		pointers(feature.AtomicWriteVolumeUserFields, volumeUsers),
		pointers(feature.EmptyDirVolumeMode, emptyDirModes),
		pointers(feature.GRPCContainerProbeTLS, grpcModes),
		pointers(feature.H2CContainerProbe, httpProtocols),
		{Gate: feature.VolumeBindMountOptions, InUse: usesBindOptions, Drop: dropBindOptions},
	}
}

// GatedTemplate are GatedPodSpec as fields of objects that have a template.
func GatedTemplate[T any](template func(T) *corev1.PodTemplateSpec) []feature.Field[T] {
	return feature.In(GatedPodSpec(), func(obj T) *corev1.PodSpec { return &template(obj).Spec })
}

// GatedPodStatus are the fields of a pod's status whose features are off by default.
func GatedPodStatus() []feature.Field[*corev1.Pod] {
	return []feature.Field[*corev1.Pod]{
		{
			Gate:  feature.DRANodeAllocatableResources,
			InUse: func(p *corev1.Pod) bool { return len(p.Status.NodeAllocatableResourceClaimStatuses) > 0 },
			Drop:  func(p *corev1.Pod) { p.Status.NodeAllocatableResourceClaimStatuses = nil },
		},
		{
			Gate:  feature.CSIVolumeHealth,
			InUse: func(p *corev1.Pod) bool { return len(p.Status.VolumeHealth) > 0 },
			Drop:  func(p *corev1.Pod) { p.Status.VolumeHealth = nil },
		},
		{
			Gate: feature.ImageVolumeWithDigest,
			InUse: func(p *corev1.Pod) bool {
				return eachMountStatus(p, func(m *corev1.VolumeMountStatus) bool { return m.VolumeStatus != nil })
			},
			Drop: func(p *corev1.Pod) {
				eachMountStatus(p, func(m *corev1.VolumeMountStatus) bool { m.VolumeStatus = nil; return false })
			},
		},
	}
}

// GatedNode are the fields of nodes whose features are off by default.
func GatedNode() []feature.Field[*corev1.Node] {
	return []feature.Field[*corev1.Node]{{
		Gate:  feature.InPlacePodVerticalScalingSchedulerPreemption,
		InUse: func(n *corev1.Node) bool { return n.Spec.PodPreemptionPolicy != nil },
		Drop:  func(n *corev1.Node) { n.Spec.PodPreemptionPolicy = nil },
	}}
}

// GatedClaimStatus are the fields of volume claims' status whose features are off by default.
func GatedClaimStatus() []feature.Field[*corev1.PersistentVolumeClaim] {
	return []feature.Field[*corev1.PersistentVolumeClaim]{{
		Gate:  feature.CSIVolumeHealth,
		InUse: func(c *corev1.PersistentVolumeClaim) bool { return c.Status.HealthStatus != nil },
		Drop:  func(c *corev1.PersistentVolumeClaim) { c.Status.HealthStatus = nil },
	}}
}

// GatedClaimSpec are the fields of volume claims whose features are off by default.
func GatedClaimSpec() []feature.Field[*corev1.PersistentVolumeClaimSpec] {
	// Without the feature, a reference into another namespace is dropped whole: half of it would name another object. One that
	// is there already may be changed, as upstream has it.
	return []feature.Field[*corev1.PersistentVolumeClaimSpec]{{
		Gate:  feature.CrossNamespaceVolumeDataSource,
		InUse: func(s *corev1.PersistentVolumeClaimSpec) bool { return s.DataSourceRef != nil },
		Drop: func(s *corev1.PersistentVolumeClaimSpec) {
			if ref := s.DataSourceRef; ref != nil && ref.Namespace != nil && *ref.Namespace != "" {
				s.DataSourceRef = nil
			}
		},
	}}
}

func lifecycles(s *corev1.PodSpec) (all []**corev1.Lifecycle) {
	for i := range s.InitContainers {
		all = append(all, &s.InitContainers[i].Lifecycle)
	}
	for i := range s.Containers {
		all = append(all, &s.Containers[i].Lifecycle)
	}
	for i := range s.EphemeralContainers {
		all = append(all, &s.EphemeralContainers[i].Lifecycle)
	}
	return all
}

func usesStopSignals(s *corev1.PodSpec) bool {
	return slices.ContainsFunc(lifecycles(s), func(l **corev1.Lifecycle) bool { return *l != nil && (*l).StopSignal != nil })
}

func dropStopSignals(s *corev1.PodSpec) {
	for _, l := range lifecycles(s) {
		if *l == nil || (*l).StopSignal == nil {
			continue
		}
		if (*l).StopSignal = nil; **l == (corev1.Lifecycle{}) {
			*l = nil // it said nothing else
		}
	}
}

// eachMountStatus calls f until it returns true, and reports whether it did.
func eachMountStatus(p *corev1.Pod, f func(*corev1.VolumeMountStatus) bool) bool {
	for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for i := range statuses {
			for j := range statuses[i].VolumeMounts {
				if f(&statuses[i].VolumeMounts[j]) {
					return true
				}
			}
		}
	}
	return false
}
