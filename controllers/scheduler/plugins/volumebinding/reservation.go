package volumebinding

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/component-helpers/storage/volume"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

// patience is how long volumes may take to be made and bound.
const patience = 10 * time.Minute

var errGivenUp = errors.New("no volume was made for the node")

// reservation is what one pod takes with it to one node.
type reservation struct {
	plugin  *Plugin
	waiting []*matching.Candidates
	use     *matching.Use
	choices []choice
}

func (r *reservation) reserve(node *snapshot.Node) *framework.Status {
	choices, status := r.plugin.match(r.waiting, r.use, node.Node)
	if status != nil {
		return status
	}
	r.plugin.mu.Lock()
	defer r.plugin.mu.Unlock()
	for _, c := range choices {
		if c.volume != nil {
			r.plugin.taken[c.volume.Name] = c.volume
		}
		r.plugin.promise(c, node.Name)
	}
	r.choices = choices
	return nil
}

func (r *reservation) unreserve() {
	r.plugin.mu.Lock()
	defer r.plugin.mu.Unlock()
	for _, c := range r.choices {
		if c.volume != nil {
			delete(r.plugin.taken, c.volume.Name)
		}
		r.plugin.withdraw(c)
	}
	r.choices = nil
}

// write tells the API of the choices, and waits until all claims have their volume.
func (r *reservation) write(ctx context.Context, node *corev1.Node) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, c := range r.choices {
		var err error
		if c.volume != nil {
			err = r.promise(ctx, c)
		} else {
			err = r.selectNode(ctx, c.claim, node.Name)
		}
		if err != nil {
			return err
		}
	}
	for _, c := range r.choices {
		if err := r.await(ctx, c, node); err != nil {
			return fmt.Errorf("binding the claim %s/%s: %w", c.claim.Namespace, c.claim.Name, err)
		}
	}
	return nil
}

// promise gives a volume to a claim: who binds volumes does the rest.
func (r *reservation) promise(ctx context.Context, c choice) error {
	bound, changed, err := volume.GetBindVolumeToClaim(c.volume, c.claim)
	if err == nil && changed {
		_, err = r.plugin.client.CoreV1().PersistentVolumes().Update(ctx, bound, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("giving volume %s to claim %s/%s: %w", c.volume.Name, c.claim.Namespace, c.claim.Name, err)
	}
	return nil
}

// selectNode asks for a volume to be made for a node.
func (r *reservation) selectNode(ctx context.Context, claim *corev1.PersistentVolumeClaim, node string) error {
	if claim.Annotations[volume.AnnSelectedNode] == node {
		return nil
	}
	asking := claim.DeepCopy()
	metav1.SetMetaDataAnnotation(&asking.ObjectMeta, volume.AnnSelectedNode, node)
	if _, err := r.plugin.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Update(ctx, asking, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("asking for a volume for claim %s/%s on node %s: %w", claim.Namespace, claim.Name, node, err)
	}
	return nil
}

// await watches a claim until it is bound. It is given up when the claim is
// gone, or whoever makes volumes withdraws the node because it cannot.
func (r *reservation) await(ctx context.Context, c choice, node *corev1.Node) error {
	claims := r.plugin.client.CoreV1().PersistentVolumeClaims(c.claim.Namespace)
	for {
		now, err := claims.Get(ctx, c.claim.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if done, err := r.settled(ctx, c, now, node); done || err != nil {
			return err
		}
		changes, err := claims.Watch(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, c.claim.Name).String(), ResourceVersion: now.ResourceVersion,
		})
		if err != nil {
			return err
		}
		done, err := r.follow(ctx, c, changes, node)
		changes.Stop()
		if done || err != nil {
			return err
		}
	}
}

func (r *reservation) follow(ctx context.Context, c choice, changes watch.Interface, node *corev1.Node) (done bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case event, open := <-changes.ResultChan():
			if !open || event.Type == watch.Error {
				return false, nil
			}
			if event.Type == watch.Deleted {
				return false, apierrors.NewNotFound(corev1.Resource("persistentvolumeclaims"), c.claim.Name)
			}
			if claim, ok := event.Object.(*corev1.PersistentVolumeClaim); ok {
				if done, err := r.settled(ctx, c, claim, node); done || err != nil {
					return done, err
				}
			}
		}
	}
}

// settled says whether the claim has its volume. One that the node cannot reach, whoever bound it, fails the attempt: the
// next goes where the volume is.
func (r *reservation) settled(ctx context.Context, c choice, claim *corev1.PersistentVolumeClaim, node *corev1.Node) (bool, error) {
	switch {
	case claim.UID != c.claim.UID:
		return false, apierrors.NewNotFound(corev1.Resource("persistentvolumeclaims"), c.claim.Name)
	case isBound(claim):
		bound, err := r.plugin.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if err := volume.CheckNodeAffinity(bound, node.Labels); err != nil {
			return false, fmt.Errorf("volume %s cannot be reached from node %s: %w", bound.Name, node.Name, err)
		}
		return true, nil
	case c.volume == nil && matching.Selected(claim) != node.Name:
		return false, errGivenUp
	}
	return false, nil
}
