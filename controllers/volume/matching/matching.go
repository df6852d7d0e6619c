// Package matching finds volumes for claims by upstream's library: one engine for the controller that binds claims and
// for the scheduler, so that neither takes a volume that the other would not.
//
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
package matching

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
)

// Bindable returns the volume to bind a claim to without asking where its Pods go: the one that is reserved for it, or
// else, of those that are free, one with the fewest access modes, of these the smallest. Nil if there is none. A lazy
// claim, one that waits for its first consumer, gets nothing but what is reserved for it: the scheduler reserves.
func Bindable(claim *corev1.PersistentVolumeClaim, volumes []*corev1.PersistentVolume, lazy bool) (*corev1.PersistentVolume, error) {
	accessible := slices.DeleteFunc(slices.Clone(volumes), func(v *corev1.PersistentVolume) bool { return !volume.CheckAccessModes(claim, v) })
	slices.SortFunc(accessible, func(a, b *corev1.PersistentVolume) int {
		return cmp.Or(cmp.Compare(len(a.Spec.AccessModes), len(b.Spec.AccessModes)), cmp.Compare(a.Name, b.Name))
	})
	found, err := volume.FindMatchingVolume(claim, accessible, nil, nil, true, true)
	if found != nil || err != nil || lazy {
		return found, err
	}
	for len(accessible) > 0 {
		modes := len(accessible[0].Spec.AccessModes)
		next := slices.IndexFunc(accessible, func(v *corev1.PersistentVolume) bool { return len(v.Spec.AccessModes) > modes })
		if next < 0 {
			next = len(accessible)
		}
		found, err := volume.FindMatchingVolume(claim, accessible[:next], nil, nil, false, true)
		if found != nil || err != nil {
			return found, err
		}
		accessible = accessible[next:]
	}
	return nil, nil
}

// Unfit says why a volume that a claim names cannot be bound to it: nil if it can.
func Unfit(claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) error {
	switch {
	case v.DeletionTimestamp != nil:
		return fmt.Errorf("the volume is being deleted")
	case v.Spec.Capacity.Storage().Cmp(*claim.Spec.Resources.Requests.Storage()) < 0:
		return fmt.Errorf("requested PV is too small")
	case volume.GetPersistentVolumeClaimClass(claim) != volume.GetPersistentVolumeClass(v):
		return fmt.Errorf("storageClassName does not match")
	case volume.CheckVolumeModeMismatches(&claim.Spec, &v.Spec):
		return fmt.Errorf("incompatible volumeMode")
	case !volume.CheckAccessModes(claim, v):
		return fmt.Errorf("incompatible accessMode")
	case ptr.Deref(claim.Spec.VolumeAttributesClassName, "") != ptr.Deref(v.Spec.VolumeAttributesClassName, ""):
		return fmt.Errorf("volumeAttributesClassName does not match")
	}
	return nil
}

// Candidates are the volumes that a lazy claim might get, ordered by where they can be reached from.
type Candidates struct {
	claim *corev1.PersistentVolumeClaim
	// pinned volumes can be reached only from nodes with one of these labels.
	pinned map[label][]*corev1.PersistentVolume
	keys   []string
	others []*corev1.PersistentVolume
}

type label struct{ key, value string }

// NewCandidates sorts out the volumes that the claim cannot get on any node.
func NewCandidates(claim *corev1.PersistentVolumeClaim, volumes []*corev1.PersistentVolume) *Candidates {
	c := &Candidates{claim: claim, pinned: map[label][]*corev1.PersistentVolume{}}
	class := volume.GetPersistentVolumeClaimClass(claim)
	for _, v := range volumes {
		reserved := volume.IsVolumeBoundToClaim(v, claim)
		if !reserved && (v.Spec.ClaimRef != nil || volume.GetPersistentVolumeClass(v) != class) {
			continue
		}
		labels := pins(v)
		// Who looks for a reserved volume must find it on every node, to be told that it cannot be reached from there.
		if reserved || labels == nil {
			c.others = append(c.others, v)
			continue
		}
		for _, l := range labels {
			c.pinned[l] = append(c.pinned[l], v)
			if !slices.Contains(c.keys, l.key) {
				c.keys = append(c.keys, l.key)
			}
		}
	}
	return c
}

// pins are labels of which a node must have one to reach the volume: nil if no list of labels says so.
func pins(v *corev1.PersistentVolume) []label {
	if v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil || len(v.Spec.NodeAffinity.Required.NodeSelectorTerms) != 1 {
		return nil
	}
	for _, e := range v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions {
		if e.Operator == corev1.NodeSelectorOpIn {
			values := slices.Compact(slices.Sorted(slices.Values(e.Values)))
			labels := make([]label, len(values))
			for i, value := range values {
				labels[i] = label{e.Key, value}
			}
			return labels
		}
	}
	return nil
}

// On returns the volume that the claim gets if its Pod goes to the node, and none of the excluded: nil if there is none.
func (c *Candidates) On(node *corev1.Node, excluded map[string]*corev1.PersistentVolume) (*corev1.PersistentVolume, error) {
	volumes := c.others
	for _, key := range c.keys {
		if value, has := node.Labels[key]; has {
			volumes = slices.Concat(volumes, c.pinned[label{key, value}])
		}
	}
	if len(volumes) == 0 {
		return nil, nil
	}
	return volume.FindMatchingVolume(c.claim, volumes, node, excluded, true, true)
}

// Claim is the claim in question.
func (c *Candidates) Claim() *corev1.PersistentVolumeClaim { return c.claim }

// Selected is the node for which the claim's volume is being made, or "".
func Selected(claim metav1.Object) string { return claim.GetAnnotations()[volume.AnnSelectedNode] }
