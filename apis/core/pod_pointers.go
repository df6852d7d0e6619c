package core

import (
	"iter"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/feature"
)

// pointers are a field that occurs in several places of a Pod's spec and is nil where it is not set. each yields the addresses of
// these pointers.
func pointers[V any](gate feature.Gate, each func(*corev1.PodSpec) iter.Seq[**V]) feature.Field[*corev1.PodSpec] {
	return feature.Field[*corev1.PodSpec]{
		Gate: gate,
		InUse: func(s *corev1.PodSpec) bool {
			for value := range each(s) {
				if *value != nil {
					return true
				}
			}
			return false
		},
		Drop: func(s *corev1.PodSpec) {
			for value := range each(s) {
				*value = nil
			}
		},
	}
}

// volumeUsers are the owners of files in volumes that the kubelet writes.
func volumeUsers(s *corev1.PodSpec) iter.Seq[**int64] {
	return func(yield func(**int64) bool) {
		var all []**int64
		for i := range s.Volumes {
			all = append(all, usersOf(&s.Volumes[i])...)
		}
		for _, user := range all {
			if !yield(user) {
				return
			}
		}
	}
}

func usersOf(v *corev1.Volume) (all []**int64) {
	if s := v.Secret; s != nil {
		all = append(append(all, &s.DefaultUser), usersOfKeys(s.Items)...)
	}
	if c := v.ConfigMap; c != nil {
		all = append(append(all, &c.DefaultUser), usersOfKeys(c.Items)...)
	}
	if d := v.DownwardAPI; d != nil {
		all = append(append(all, &d.DefaultUser), usersOfFiles(d.Items)...)
	}
	if p := v.Projected; p != nil {
		all = append(all, &p.DefaultUser)
		for i := range p.Sources {
			all = append(all, usersOfSource(&p.Sources[i])...)
		}
	}
	return all
}

func usersOfSource(p *corev1.VolumeProjection) (all []**int64) {
	if p.Secret != nil {
		all = append(all, usersOfKeys(p.Secret.Items)...)
	}
	if p.ConfigMap != nil {
		all = append(all, usersOfKeys(p.ConfigMap.Items)...)
	}
	if p.DownwardAPI != nil {
		all = append(all, usersOfFiles(p.DownwardAPI.Items)...)
	}
	if p.ServiceAccountToken != nil {
		all = append(all, &p.ServiceAccountToken.User)
	}
	if p.ClusterTrustBundle != nil {
		all = append(all, &p.ClusterTrustBundle.User)
	}
	if p.PodCertificate != nil {
		all = append(all, &p.PodCertificate.User)
	}
	return all
}

func usersOfKeys(items []corev1.KeyToPath) (all []**int64) {
	for i := range items {
		all = append(all, &items[i].User)
	}
	return all
}

func usersOfFiles(items []corev1.DownwardAPIVolumeFile) (all []**int64) {
	for i := range items {
		all = append(all, &items[i].User)
	}
	return all
}

func emptyDirModes(s *corev1.PodSpec) iter.Seq[**int32] {
	return func(yield func(**int32) bool) {
		for i := range s.Volumes {
			if e := s.Volumes[i].EmptyDir; e != nil && !yield(&e.Mode) {
				return
			}
		}
	}
}

// grpcModes say how probes by gRPC are sent.
func grpcModes(s *corev1.PodSpec) iter.Seq[**corev1.GRPCProbeMode] {
	return func(yield func(**corev1.GRPCProbeMode) bool) {
		for c := range containers(s) {
			for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
				if probe != nil && probe.GRPC != nil && !yield(&probe.GRPC.Mode) {
					return
				}
			}
		}
	}
}

// httpProtocols say how probes and hooks by HTTP are sent.
func httpProtocols(s *corev1.PodSpec) iter.Seq[**corev1.HTTPProtocol] {
	return func(yield func(**corev1.HTTPProtocol) bool) {
		for c := range containers(s) {
			for _, action := range httpActions(c) {
				if action != nil && !yield(&action.Protocol) {
					return
				}
			}
		}
	}
}

func httpActions(c *corev1.Container) (all []*corev1.HTTPGetAction) {
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if probe != nil {
			all = append(all, probe.HTTPGet)
		}
	}
	if l := c.Lifecycle; l != nil {
		for _, hook := range []*corev1.LifecycleHandler{l.PostStart, l.PreStop} {
			if hook != nil {
				all = append(all, hook.HTTPGet)
			}
		}
	}
	return all
}

func usesBindOptions(s *corev1.PodSpec) bool {
	for c := range containers(s) {
		for i := range c.VolumeMounts {
			if len(c.VolumeMounts[i].BindMountOptions) > 0 {
				return true
			}
		}
	}
	return false
}

func dropBindOptions(s *corev1.PodSpec) {
	for c := range containers(s) {
		for i := range c.VolumeMounts {
			c.VolumeMounts[i].BindMountOptions = nil
		}
	}
}

// containers are all of a Pod, ephemeral ones as if they were others.
func containers(s *corev1.PodSpec) iter.Seq[*corev1.Container] {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{s.InitContainers, s.Containers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
		for i := range s.EphemeralContainers {
			if !yield((*corev1.Container)(&s.EphemeralContainers[i].EphemeralContainerCommon)) {
				return
			}
		}
	}
}
