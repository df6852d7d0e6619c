package core

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
)

// SecretNames are the Secrets of its namespace that a Pod names: for pulling images, in the environment, in volumes. Names
// may come twice.
func SecretNames(pod *corev1.Pod) iter.Seq[string] {
	return named(func(yield func(string) bool) {
		for _, ref := range pod.Spec.ImagePullSecrets {
			if !yield(ref.Name) {
				return
			}
		}
		for env := range environment(pod) {
			if env.secret != "" && !yield(env.secret) {
				return
			}
		}
		for i := range pod.Spec.Volumes {
			for _, name := range volumeSecrets(&pod.Spec.Volumes[i].VolumeSource) {
				if !yield(name) {
					return
				}
			}
		}
	})
}

// ConfigMapNames are the ConfigMaps of its namespace that a Pod names, likewise.
func ConfigMapNames(pod *corev1.Pod) iter.Seq[string] {
	return named(func(yield func(string) bool) {
		for env := range environment(pod) {
			if env.configMap != "" && !yield(env.configMap) {
				return
			}
		}
		for i := range pod.Spec.Volumes {
			for _, name := range volumeConfigMaps(&pod.Spec.Volumes[i].VolumeSource) {
				if !yield(name) {
					return
				}
			}
		}
	})
}

// ClaimNames are the PersistentVolumeClaims of its namespace that a Pod uses, those made for its ephemeral volumes too.
func ClaimNames(pod *corev1.Pod) iter.Seq[string] {
	return named(func(yield func(string) bool) {
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			switch {
			case v.PersistentVolumeClaim != nil:
				if !yield(v.PersistentVolumeClaim.ClaimName) {
					return
				}
			case v.Ephemeral != nil:
				if !yield(pod.Name + "-" + v.Name) {
					return
				}
			}
		}
	})
}

// named leaves out empty names.
func named(all iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range all {
			if name != "" && !yield(name) {
				return
			}
		}
	}
}

// source is where a container's environment comes from.
type source struct{ secret, configMap string }

func environment(pod *corev1.Pod) iter.Seq[source] {
	return func(yield func(source) bool) {
		Containers(&pod.Spec, func(c *corev1.Container) bool {
			for i := range c.EnvFrom {
				var s source
				if ref := c.EnvFrom[i].SecretRef; ref != nil {
					s.secret = ref.Name
				}
				if ref := c.EnvFrom[i].ConfigMapRef; ref != nil {
					s.configMap = ref.Name
				}
				if !yield(s) {
					return false
				}
			}
			for i := range c.Env {
				from := c.Env[i].ValueFrom
				if from == nil {
					continue
				}
				var s source
				if from.SecretKeyRef != nil {
					s.secret = from.SecretKeyRef.Name
				}
				if from.ConfigMapKeyRef != nil {
					s.configMap = from.ConfigMapKeyRef.Name
				}
				if !yield(s) {
					return false
				}
			}
			return true
		})
	}
}

func volumeConfigMaps(v *corev1.VolumeSource) []string {
	switch {
	case v.ConfigMap != nil:
		return []string{v.ConfigMap.Name}
	case v.Projected != nil:
		var names []string
		for i := range v.Projected.Sources {
			if c := v.Projected.Sources[i].ConfigMap; c != nil {
				names = append(names, c.Name)
			}
		}
		return names
	}
	return nil
}

func volumeSecrets(v *corev1.VolumeSource) []string {
	var ref *corev1.LocalObjectReference
	switch {
	case v.Secret != nil:
		return []string{v.Secret.SecretName}
	case v.Projected != nil:
		var names []string
		for i := range v.Projected.Sources {
			if s := v.Projected.Sources[i].Secret; s != nil {
				names = append(names, s.Name)
			}
		}
		return names
	case v.AzureFile != nil:
		return []string{v.AzureFile.SecretName}
	case v.CephFS != nil:
		ref = v.CephFS.SecretRef
	case v.Cinder != nil:
		ref = v.Cinder.SecretRef
	case v.CSI != nil:
		ref = v.CSI.NodePublishSecretRef
	case v.FlexVolume != nil:
		ref = v.FlexVolume.SecretRef
	case v.ISCSI != nil:
		ref = v.ISCSI.SecretRef
	case v.RBD != nil:
		ref = v.RBD.SecretRef
	case v.ScaleIO != nil:
		ref = v.ScaleIO.SecretRef
	case v.StorageOS != nil:
		ref = v.StorageOS.SecretRef
	}
	if ref == nil {
		return nil
	}
	return []string{ref.Name}
}
