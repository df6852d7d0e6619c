package core

import corev1 "k8s.io/api/core/v1"

// defaultVolume makes a volume of no type an emptyDir and fills in its source's defaults.
func defaultVolume(v *corev1.Volume) {
	if v.VolumeSource == (corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	switch {
	case v.Secret != nil:
		setDefaultPtr(&v.Secret.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
	case v.ConfigMap != nil:
		setDefaultPtr(&v.ConfigMap.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
	case v.Projected != nil:
		defaultProjected(v.Projected)
	}
	if d := v.DownwardAPI; d != nil {
		setDefaultPtr(&d.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
		for i := range d.Items {
			defaultFieldRef(d.Items[i].FieldRef)
		}
	}
	if v.HostPath != nil {
		setDefaultPtr(&v.HostPath.Type, corev1.HostPathUnset)
	}
	if v.Image != nil && v.Image.PullPolicy == "" {
		v.Image.PullPolicy = defaultPullPolicy(v.Image.Reference)
	}
	if e := v.Ephemeral; e != nil && e.VolumeClaimTemplate != nil {
		DefaultClaimSpec(&e.VolumeClaimTemplate.Spec)
	}
	defaultNetworkDisk(v)
}

func defaultProjected(p *corev1.ProjectedVolumeSource) {
	setDefaultPtr(&p.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
	for i := range p.Sources {
		if d := p.Sources[i].DownwardAPI; d != nil {
			for j := range d.Items {
				defaultFieldRef(d.Items[j].FieldRef)
			}
		}
		if t := p.Sources[i].ServiceAccountToken; t != nil {
			setDefaultPtr(&t.ExpirationSeconds, 3600)
		}
	}
}

// defaultNetworkDisk fills in the sources whose drivers once were part of the kubelet.
func defaultNetworkDisk(v *corev1.Volume) {
	if v.ISCSI != nil {
		setDefault(&v.ISCSI.ISCSIInterface, "default")
	}
	if r := v.RBD; r != nil {
		defaultRBD(&r.RBDPool, &r.RadosUser, &r.Keyring)
	}
	if v.AzureDisk != nil {
		defaultAzureDisk(v.AzureDisk)
	}
	if s := v.ScaleIO; s != nil {
		setDefault(&s.StorageMode, "ThinProvisioned")
		setDefault(&s.FSType, "xfs")
	}
}

func defaultRBD(pool, user, keyring *string) {
	setDefault(pool, "rbd")
	setDefault(user, "admin")
	setDefault(keyring, "/etc/ceph/keyring")
}

func defaultAzureDisk(a *corev1.AzureDiskVolumeSource) {
	setDefaultPtr(&a.CachingMode, corev1.AzureDataDiskCachingReadWrite)
	setDefaultPtr(&a.FSType, "ext4")
	setDefaultPtr(&a.ReadOnly, false)
	setDefaultPtr(&a.Kind, corev1.AzureSharedBlobDisk)
}

// DefaultClaimSpec fills in the defaults of a volume claim, an ephemeral volume's template among them.
func DefaultClaimSpec(s *corev1.PersistentVolumeClaimSpec) {
	setDefaultPtr(&s.VolumeMode, corev1.PersistentVolumeFilesystem)
	roundUp(s.Resources.Limits)
	roundUp(s.Resources.Requests)
}

// setDefaultPtr sets what points nowhere yet.
func setDefaultPtr[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
