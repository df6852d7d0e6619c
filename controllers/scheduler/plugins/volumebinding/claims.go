// Package volumebinding keeps pods to nodes that can reach their volumes, and
// has volumes made or chosen for the node where a pod goes.
package volumebinding

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/component-helpers/storage/ephemeral"
	"k8s.io/component-helpers/storage/volume"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
)

// wishes are a pod's claims, by what there is to do for them.
type wishes struct {
	// bound claims have a volume, waiting ones get one for the pod's node.
	bound, waiting []*corev1.PersistentVolumeClaim
}

// wishesOf sorts a pod's claims. The pod must wait for those that are bound
// wherever the pod goes.
func (p *Plugin) wishesOf(pod *corev1.Pod) (wishes, *framework.Status) {
	var w wishes
	immediate := false
	for i := range pod.Spec.Volumes {
		claim, status := p.claimOf(pod, &pod.Spec.Volumes[i])
		if status != nil {
			return w, status
		}
		if claim == nil {
			continue
		}
		if isBound(claim) {
			w.bound = append(w.bound, claim)
			continue
		}
		delayed, err := volume.IsDelayBindingMode(claim, p.classes)
		if err != nil && !apierrors.IsNotFound(err) {
			return w, framework.Fail(fmt.Errorf("finding the class of claim %s/%s: %w", claim.Namespace, claim.Name, err))
		}
		if delayed && claim.Spec.VolumeName == "" {
			w.waiting = append(w.waiting, claim)
		} else {
			immediate = true
		}
	}
	if immediate {
		return w, framework.Reject(framework.Unresolvable, "pod has unbound immediate PersistentVolumeClaims")
	}
	return w, nil
}

// claimOf returns the claim behind a volume of a pod, nil when it has none.
func (p *Plugin) claimOf(pod *corev1.Pod, source *corev1.Volume) (*corev1.PersistentVolumeClaim, *framework.Status) {
	var name string
	switch {
	case source.PersistentVolumeClaim != nil:
		name = source.PersistentVolumeClaim.ClaimName
	case source.Ephemeral != nil:
		name = ephemeral.VolumeClaimName(pod, source)
	default:
		return nil, nil
	}
	claim, err := p.claims.PersistentVolumeClaims(pod.Namespace).Get(name)
	if apierrors.IsNotFound(err) && source.Ephemeral != nil {
		return nil, framework.Reject(framework.Unresolvable, fmt.Sprintf("waiting for ephemeral volume controller to create the persistentvolumeclaim %q", name))
	}
	if apierrors.IsNotFound(err) {
		return nil, framework.Reject(framework.Unresolvable, fmt.Sprintf("persistentvolumeclaim %q not found", name))
	}
	if err != nil {
		return nil, framework.Fail(fmt.Errorf("finding claim %s/%s: %w", pod.Namespace, name, err))
	}
	switch {
	case claim.Status.Phase == corev1.ClaimLost:
		return nil, framework.Reject(framework.Unresolvable, fmt.Sprintf("persistentvolumeclaim %q bound to non-existent persistentvolume %q", name, claim.Spec.VolumeName))
	case claim.DeletionTimestamp != nil:
		return nil, framework.Reject(framework.Unresolvable, fmt.Sprintf("persistentvolumeclaim %q is being deleted", name))
	}
	if source.Ephemeral != nil {
		if err := ephemeral.VolumeIsForPod(pod, claim); err != nil {
			return nil, framework.Reject(framework.Unresolvable, err.Error())
		}
	}
	return claim, nil
}

func isBound(claim *corev1.PersistentVolumeClaim) bool {
	_, done := claim.Annotations[volume.AnnBindCompleted]
	return claim.Spec.VolumeName != "" && done
}
