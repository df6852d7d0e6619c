package localstorage

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"

	api "github.com/coracle-k8s/coracle/apis/volume"
)

// unable is why no volume of the class can be made for the claim, empty if one can.
func unable(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) string {
	switch spec := &claim.Spec; {
	case len(class.Parameters) > 0:
		return "the class has parameters, and none are known"
	case spec.Selector != nil:
		return "claim.spec.selector is not supported"
	case spec.DataSource != nil || spec.DataSourceRef != nil:
		return "claim.spec.dataSource is not supported"
	case ptr.Deref(spec.VolumeMode, corev1.PersistentVolumeFilesystem) != corev1.PersistentVolumeFilesystem:
		return "volumeMode Block is not supported"
	case slices.ContainsFunc(spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool {
		return m != corev1.ReadWriteOnce && m != corev1.ReadWriteOncePod
	}):
		return "local volumes are on one node: their access modes are ReadWriteOnce and ReadWriteOncePod"
	}
	return ""
}

// nameOf is the name of the claim's volume, and of its directory.
func nameOf(claim *corev1.PersistentVolumeClaim) string { return "pvc-" + string(claim.UID) }

// made is the volume of the claim on the node; where it is there is the node's choice.
func made(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, node *corev1.Node) (*corev1.PersistentVolume, error) {
	host := node.Labels[corev1.LabelHostname]
	if host == "" {
		return nil, fmt.Errorf("node %s has no label %s", node.Name, corev1.LabelHostname)
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name: nameOf(claim), Finalizers: []string{api.LocalFinalizer},
			Annotations: map[string]string{volume.AnnDynamicallyProvisioned: api.LocalProvisioner, api.LocalNode: node.Name},
		},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: class.Name, AccessModes: claim.Spec.AccessModes, VolumeMode: ptr.To(corev1.PersistentVolumeFilesystem),
			PersistentVolumeReclaimPolicy: ptr.Deref(class.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete),
			MountOptions:                  class.MountOptions,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: *claim.Spec.Resources.Requests.Storage()},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{}},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{host}}},
			}}}},
		},
	}, nil
}

// madeAs, an annotation of a volume, is the UID that it had when its claim was there. Volumes that were brought back without their claims
// have other UIDs, and may be all that is left to lead to the data.
const madeAs = "coracle.io/local-volume-uid"

// fate is what is to be done about a volume of ours.
type fate int

const (
	keep fate = iota
	// release lets the volume go from the API and leaves its directory.
	release
	// destroy takes its directory away, too.
	destroy
	// note writes down that the claim is there.
	note
	// doubt is said, and the volume is kept.
	doubt
)

// fateOf is decided by the volume and by its claim, nil if that is gone.
func fateOf(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) fate {
	unused := v.Spec.ClaimRef != nil && v.Spec.ClaimRef.UID != "" && (claim == nil || claim.UID != v.Spec.ClaimRef.UID)
	wiped := v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete
	switch leaving := v.DeletionTimestamp != nil; {
	case claim != nil && claim.UID == v.Spec.ClaimRef.UID && v.Annotations[madeAs] != string(v.UID):
		return note
	case unused && wiped && v.Status.Phase == corev1.VolumeReleased && v.Annotations[madeAs] != string(v.UID):
		return doubt
	case unused && wiped && (leaving || v.Status.Phase == corev1.VolumeReleased):
		return destroy
	case leaving && (!wiped || v.Spec.ClaimRef == nil):
		return release
	}
	return keep
}
