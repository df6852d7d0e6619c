package persistentvolume

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/storage/volume"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The indexes of volumes by who may get them, and of claims without a volume by what they wait for.
const (
	byTaker = "taker"
	byWish  = "wish"
)

// AddIndexes indexes volumes and claims by what makes a match of them possible. Call once for each manager, before any
// informer is started.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &corev1.PersistentVolume{}, byTaker, takerOf); err != nil {
		return fmt.Errorf("indexing volumes: %w", err)
	}
	if err := indexer.IndexField(ctx, &corev1.PersistentVolumeClaim{}, byWish, wishOf); err != nil {
		return fmt.Errorf("indexing claims: %w", err)
	}
	return nil
}

// takerOf is the claim that a volume is given to, or if it is free, its class.
func takerOf(o client.Object) []string {
	v := o.(*corev1.PersistentVolume)
	if ref := v.Spec.ClaimRef; ref != nil {
		return []string{byName(ref.Namespace, ref.Name)}
	}
	return []string{ofClass(volume.GetPersistentVolumeClass(v))}
}

func byName(namespace, name string) string { return "claim " + namespace + "/" + name }

func ofClass(class string) string { return "class " + class }

func naming(volume string) string { return "volume " + volume }

func wishOf(o client.Object) []string {
	claim := o.(*corev1.PersistentVolumeClaim)
	switch {
	case claim.Status.Phase == corev1.ClaimBound:
		return nil
	case claim.Spec.VolumeName != "":
		return []string{naming(claim.Spec.VolumeName)}
	}
	return []string{ofClass(volume.GetPersistentVolumeClaimClass(claim))}
}

// candidates are the volumes that a claim may be bound to.
func (r *controller) candidates(ctx context.Context, claim *corev1.PersistentVolumeClaim) ([]*corev1.PersistentVolume, error) {
	var all []*corev1.PersistentVolume
	for _, taker := range []string{byName(claim.Namespace, claim.Name), ofClass(volume.GetPersistentVolumeClaimClass(claim))} {
		var list corev1.PersistentVolumeList
		if err := r.client.List(ctx, &list, client.MatchingFields{byTaker: taker}); err != nil {
			return nil, fmt.Errorf("listing volumes: %w", err)
		}
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
	}
	return all, nil
}
