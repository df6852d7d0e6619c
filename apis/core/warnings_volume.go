package core

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A file is where a volume puts something, and where that comes from, if the volume has several sources.
type file struct{ path, from string }

func (f file) String() string {
	if f.from == "" {
		return fmt.Sprintf("%q", f.path)
	}
	return fmt.Sprintf("%q (%s)", f.path, f.from)
}

func (f file) overlaps(o file) bool {
	return strings.HasPrefix(f.path+"/", o.path+"/") || strings.HasPrefix(o.path+"/", f.path+"/")
}

// overlaps warns of volumes that put two things in one place.
func (w *podWarnings) overlaps() {
	for i := range w.spec.Volumes {
		v := &w.spec.Volumes[i]
		if s := v.ConfigMap; s != nil {
			w.overlapsIn(v, fmt.Sprintf("ConfigMap %q", s.Name), filesOf(s.Items, ""))
		}
		if s := v.Secret; s != nil {
			w.overlapsIn(v, fmt.Sprintf("Secret %q", s.SecretName), filesOf(s.Items, ""))
		}
		if s := v.DownwardAPI; s != nil {
			w.overlapsIn(v, "DownwardAPI", downwardFiles(s.Items, ""))
		}
		if s := v.Projected; s != nil {
			var all []file
			for j := range s.Sources {
				if s.Sources[j] == (corev1.VolumeProjection{}) {
					w.list = append(w.list, fmt.Sprintf("volume %q (Projected) has no sources provided", v.Name))
				}
				all = append(all, projectedFiles(&s.Sources[j])...)
			}
			w.overlapsIn(v, "Projected", all)
		}
	}
}

func (w *podWarnings) overlapsIn(v *corev1.Volume, what string, all []file) {
	var seen []file
	for _, f := range all {
		if f.path = strings.TrimRight(f.path, "/"); f.path == "" {
			continue
		}
		for _, other := range seen {
			if f.overlaps(other) {
				w.list = append(w.list, fmt.Sprintf("volume %q (%s): overlapping paths: %s with %s", v.Name, what, f, other))
			}
		}
		seen = append(seen, f)
	}
}

func filesOf(items []corev1.KeyToPath, from string) (all []file) {
	for i := range items {
		all = append(all, file{items[i].Path, from})
	}
	return all
}

func downwardFiles(items []corev1.DownwardAPIVolumeFile, from string) (all []file) {
	for i := range items {
		all = append(all, file{items[i].Path, from})
	}
	return all
}

func projectedFiles(s *corev1.VolumeProjection) (all []file) {
	switch {
	case s.ConfigMap != nil:
		return filesOf(s.ConfigMap.Items, fmt.Sprintf("ConfigMap %q", s.ConfigMap.Name))
	case s.Secret != nil:
		return filesOf(s.Secret.Items, fmt.Sprintf("Secret %q", s.Secret.Name))
	case s.DownwardAPI != nil:
		return downwardFiles(s.DownwardAPI.Items, "DownwardAPI")
	case s.ServiceAccountToken != nil:
		return []file{{s.ServiceAccountToken.Path, "ServiceAccountToken"}}
	case s.ClusterTrustBundle != nil:
		name := s.ClusterTrustBundle.Name
		if name == nil {
			name = s.ClusterTrustBundle.SignerName
		}
		if name == nil {
			name = new("")
		}
		return []file{{s.ClusterTrustBundle.Path, fmt.Sprintf("ClusterTrustBundle %q", *name)}}
	case s.PodCertificate != nil:
		c := s.PodCertificate
		return []file{{c.CertificateChainPath, "PodCertificate chain"}, {c.KeyPath, "PodCertificate key"}, {c.CredentialBundlePath, "PodCertificate credential bundle"}}
	}
	return nil
}

// PersistentVolumeWarnings tells of what is deprecated.
func PersistentVolumeWarnings(v *corev1.PersistentVolume) []string {
	var w warnings
	for _, old := range [][2]string{
		{corev1.BetaStorageClassAnnotation, `deprecated since v1.8; use "storageClassName" attribute instead`},
		{corev1.MountOptionAnnotation, `deprecated since v1.31; use "mountOptions" attribute instead`},
	} {
		if _, ok := v.Annotations[old[0]]; ok {
			w.add(field.NewPath("metadata", "annotations").Key(old[0]), "%s", old[1])
		}
	}
	at, s := field.NewPath("spec"), &v.Spec
	if s.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		w.add(at.Child("persistentVolumeReclaimPolicy"), "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.")
	}
	if s.NodeAffinity != nil && s.NodeAffinity.Required != nil {
		for i := range s.NodeAffinity.Required.NodeSelectorTerms {
			w.nodeTerm(at.Child("nodeAffinity", "required", "nodeSelectorTerms").Index(i), &s.NodeAffinity.Required.NodeSelectorTerms[i], false)
		}
	}
	for _, old := range []struct {
		name string
		set  bool
		why  string
	}{
		{"cephfs", s.CephFS != nil, "deprecated in v1.28, non-functional in v1.31+"},
		{"photonPersistentDisk", s.PhotonPersistentDisk != nil, "deprecated in v1.11, non-functional in v1.16+"},
		{"scaleIO", s.ScaleIO != nil, "deprecated in v1.16, non-functional in v1.22+"},
		{"storageOS", s.StorageOS != nil, "deprecated in v1.22, non-functional in v1.25+"},
		{"glusterfs", s.Glusterfs != nil, "deprecated in v1.25, non-functional in v1.26+"},
		{"rbd", s.RBD != nil, "deprecated in v1.28, non-functional in v1.31+"},
	} {
		if old.set {
			w.add(at.Child(old.name), "%s", old.why)
		}
	}
	return w.list
}

// ClaimWarnings tells of what is deprecated, or surely not meant.
func ClaimWarnings(c *corev1.PersistentVolumeClaim) []string {
	var w warnings
	if _, ok := c.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		w.add(field.NewPath("metadata", "annotations").Key(corev1.BetaStorageClassAnnotation), `deprecated since v1.8; use "storageClassName" attribute instead`)
	}
	w.claim(field.NewPath("spec"), &c.Spec)
	return w.list
}

func (w *warnings) claim(at *field.Path, s *corev1.PersistentVolumeClaimSpec) {
	w.fraction(at.Child("resources", "requests"), s.Resources.Requests, corev1.ResourceStorage)
	w.fraction(at.Child("resources", "limits"), s.Resources.Limits, corev1.ResourceStorage)
}
