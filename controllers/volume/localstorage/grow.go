package localstorage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

// growing claims ask for more than they have, or are not done with it.
func growing(c *corev1.PersistentVolumeClaim) bool {
	if c.Status.Phase != corev1.ClaimBound || c.DeletionTimestamp != nil {
		return false
	}
	_, underWay := c.Status.AllocatedResourceStatuses[corev1.ResourceStorage]
	return underWay || c.Spec.Resources.Requests.Storage().Cmp(*c.Status.Capacity.Storage()) > 0
}

// sizeFor is what the claim's volume is to have: what is asked for, but never less than the volume has, which it had when more was asked for.
func sizeFor(claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) resource.Quantity {
	asks, has := claim.Spec.Resources.Requests.Storage(), v.Spec.Capacity.Storage()
	if asks.Cmp(*has) > 0 {
		return *asks
	}
	return *has
}

// grow makes the volume of a claim larger, while Pods use it: the node first, then the volume, then the claim says so. Each step can be
// repeated. https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
func (r *controller) grow(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	var v corev1.PersistentVolume
	err := r.client.Get(ctx, client.ObjectKey{Name: claim.Spec.VolumeName}, &v)
	if err != nil || !ours(&v) || v.Spec.Local == nil || v.Spec.ClaimRef == nil || v.Spec.ClaimRef.UID != claim.UID {
		return client.IgnoreNotFound(err)
	}
	size := sizeFor(claim, &v)
	if size.Cmp(*v.Spec.Capacity.Storage()) > 0 {
		if claim, err = r.writeGrowth(ctx, claim, resizing(claim.Status, size)); err != nil {
			return err
		}
		if err := r.enlarge(ctx, &v, size); err != nil {
			r.recorder.Eventf(claim, &v, corev1.EventTypeWarning, "VolumeResizeFailed", "Resize", "resizing volume %s: %v", v.Name, err)
			_, noted := r.writeGrowth(ctx, claim, resizeFailed(claim.Status, err))
			return errors.Join(fmt.Errorf("resizing the volume of claim %s: %w", client.ObjectKeyFromObject(claim), err), noted)
		}
	}
	changed, err := r.writeGrowth(ctx, claim, resized(claim.Status, size))
	if err == nil && changed != claim {
		r.recorder.Eventf(claim, &v, corev1.EventTypeNormal, "VolumeResizeSuccessful", "Resize", "Resize volume succeeded: it has %s now", &size)
	}
	return err
}

// enlarge has the node make the volume larger, then says so at the volume.
func (r *controller) enlarge(ctx context.Context, v *corev1.PersistentVolume, size resource.Quantity) error {
	larger := v.DeepCopy()
	larger.Spec.Capacity[corev1.ResourceStorage] = size
	var node corev1.Node
	if err := r.client.Get(ctx, client.ObjectKey{Name: v.Annotations[api.LocalNode]}, &node); err != nil {
		return err
	}
	r.choosing.Lock() // so that nobody else is given the same room
	defer r.choosing.Unlock()
	use, err := r.use(ctx)
	if err != nil {
		return err
	}
	if room, _ := matching.Room(&node); use.Of(node.Name)-v.Spec.Capacity.Storage().Value()+size.Value() > room {
		return fmt.Errorf("node %s: %w: %s for local volumes, of which %s are taken", node.Name, ErrFull, quantity(room), quantity(use.Of(node.Name)))
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := r.nodes.Make(within, node.Name, larger); err != nil {
		return fmt.Errorf("node %s: %w", node.Name, err)
	}
	return r.client.Update(ctx, larger)
}

func quantity(n int64) *resource.Quantity { return resource.NewQuantity(n, resource.BinarySI) }

func (r *controller) writeGrowth(ctx context.Context, claim *corev1.PersistentVolumeClaim, status corev1.PersistentVolumeClaimStatus) (*corev1.PersistentVolumeClaim, error) {
	if apiequality.Semantic.DeepEqual(claim.Status, status) {
		return claim, nil
	}
	changed := claim.DeepCopy()
	changed.Status = status
	if err := r.client.Status().Update(ctx, changed); err != nil {
		return nil, fmt.Errorf("writing the status of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	return changed, nil
}

// The claim's status while its volume is made larger, where it cannot be, and when it is. Conditions and states are upstream's.

func resizing(s corev1.PersistentVolumeClaimStatus, size resource.Quantity) corev1.PersistentVolumeClaimStatus {
	s = *s.DeepCopy()
	if s.AllocatedResources == nil {
		s.AllocatedResources = corev1.ResourceList{}
	}
	s.AllocatedResources[corev1.ResourceStorage] = size
	setState(&s, corev1.PersistentVolumeClaimControllerResizeInProgress)
	setCondition(&s, corev1.PersistentVolumeClaimResizing, "")
	return s
}

func resizeFailed(s corev1.PersistentVolumeClaimStatus, why error) corev1.PersistentVolumeClaimStatus {
	s = *s.DeepCopy()
	if errors.Is(why, ErrFull) {
		setState(&s, corev1.PersistentVolumeClaimControllerResizeInfeasible)
	}
	setCondition(&s, corev1.PersistentVolumeClaimControllerResizeError, why.Error())
	return s
}

func resized(s corev1.PersistentVolumeClaimStatus, size resource.Quantity) corev1.PersistentVolumeClaimStatus {
	s = *s.DeepCopy()
	if s.Capacity == nil {
		s.Capacity = corev1.ResourceList{}
	}
	s.Capacity[corev1.ResourceStorage] = size
	if s.AllocatedResources != nil {
		s.AllocatedResources[corev1.ResourceStorage] = size
	}
	delete(s.AllocatedResourceStatuses, corev1.ResourceStorage)
	if len(s.AllocatedResourceStatuses) == 0 {
		s.AllocatedResourceStatuses = nil
	}
	s.Conditions = slices.DeleteFunc(s.Conditions, func(c corev1.PersistentVolumeClaimCondition) bool {
		return c.Type == corev1.PersistentVolumeClaimResizing || c.Type == corev1.PersistentVolumeClaimControllerResizeError
	})
	return s
}

func setState(s *corev1.PersistentVolumeClaimStatus, state corev1.ClaimResourceStatus) {
	if s.AllocatedResourceStatuses == nil {
		s.AllocatedResourceStatuses = map[corev1.ResourceName]corev1.ClaimResourceStatus{}
	}
	s.AllocatedResourceStatuses[corev1.ResourceStorage] = state
}

func setCondition(s *corev1.PersistentVolumeClaimStatus, kind corev1.PersistentVolumeClaimConditionType, message string) {
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Type == kind {
			c.Message = message
			return
		}
	}
	s.Conditions = append(s.Conditions, corev1.PersistentVolumeClaimCondition{
		Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(), Message: message,
	})
}
