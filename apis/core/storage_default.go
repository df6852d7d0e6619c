package core

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// DefaultPersistentVolume fills in what a volume means where it says nothing. Safe to repeat.
func DefaultPersistentVolume(v *corev1.PersistentVolume) {
	spec := &v.Spec
	setDefault(&v.Status.Phase, corev1.VolumePending)
	setDefault(&spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimRetain)
	setDefaultPtr(&spec.VolumeMode, corev1.PersistentVolumeFilesystem)
	roundUp(spec.Capacity)
	if spec.HostPath != nil {
		setDefaultPtr(&spec.HostPath.Type, corev1.HostPathUnset)
	}
	if r := spec.RBD; r != nil {
		defaultRBD(&r.RBDPool, &r.RadosUser, &r.Keyring)
	}
	if spec.ISCSI != nil {
		setDefault(&spec.ISCSI.ISCSIInterface, "default")
	}
	if spec.AzureDisk != nil {
		defaultAzureDisk(spec.AzureDisk)
	}
	if s := spec.ScaleIO; s != nil {
		setDefault(&s.StorageMode, "ThinProvisioned")
		setDefault(&s.FSType, "xfs")
	}
}

// DefaultClaim fills in what a claim means where it says nothing. Safe to repeat.
func DefaultClaim(c *corev1.PersistentVolumeClaim) {
	setDefault(&c.Status.Phase, corev1.ClaimPending)
	DefaultClaimSpec(&c.Spec)
	roundUp(c.Status.Capacity)
	roundUp(c.Status.AllocatedResources)
}

// NormalizeDataSource makes spec.dataSource and dataSourceRef say the same, where the older field can. What the older field
// may not name is dropped from it, as it always was, unless it was there before. Old is nil on create; it is normalised too,
// so that claims from before the newer field compare equal.
func NormalizeDataSource(spec, old *corev1.PersistentVolumeClaimSpec) {
	if spec.DataSource != nil && spec.DataSourceRef == nil && !oldSource(spec.DataSource) && !(old != nil && (old.DataSource != nil || old.DataSourceRef != nil)) {
		spec.DataSource = nil
	}
	syncDataSource(spec)
	if old != nil {
		syncDataSource(old)
	}
}

// oldSource reports whether the older field may name the source: a claim, or a snapshot.
func oldSource(s *corev1.TypedLocalObjectReference) bool {
	group := ""
	if s.APIGroup != nil {
		group = *s.APIGroup
	}
	return group == "" && s.Kind == "PersistentVolumeClaim" || group == "snapshot.storage.k8s.io" && s.Kind == "VolumeSnapshot"
}

func syncDataSource(spec *corev1.PersistentVolumeClaimSpec) {
	switch one, ref := spec.DataSource, spec.DataSourceRef; {
	case one != nil && ref == nil:
		spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: one.APIGroup, Kind: one.Kind, Name: one.Name}
	case one == nil && ref != nil && (ref.Namespace == nil || *ref.Namespace == ""):
		spec.DataSource = &corev1.TypedLocalObjectReference{APIGroup: ref.APIGroup, Kind: ref.Kind, Name: ref.Name}
	}
}

// AccessModes shows access modes in short: RWO,RWX.
func AccessModes(modes []corev1.PersistentVolumeAccessMode) string {
	var all []string
	for _, known := range []struct {
		mode  corev1.PersistentVolumeAccessMode
		short string
	}{
		{corev1.ReadWriteOnce, "RWO"}, {corev1.ReadOnlyMany, "ROX"}, {corev1.ReadWriteMany, "RWX"}, {corev1.ReadWriteOncePod, "RWOP"},
	} {
		for _, mode := range modes {
			if mode == known.mode {
				all = append(all, known.short)
				break
			}
		}
	}
	return strings.Join(all, ",")
}
