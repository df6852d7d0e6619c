package localstorage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
	"github.com/coracle-k8s/coracle/controllers/volume/pvcprotection"
)

// choose returns the node for a claim that waits for no Pod: of those that are ready, let Pods come and have room, one of which least is asked.
func choose(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, nodes []corev1.Node, use *matching.Use) (string, error) {
	var best *corev1.Node
	var errs []error
	for i := range nodes {
		n := &nodes[i]
		err := use.NoRoom(claim, n)
		switch {
		case n.Spec.Unschedulable || n.DeletionTimestamp != nil || slices.ContainsFunc(n.Spec.Taints, keepsAway):
			err = fmt.Errorf("node %s takes no new Pods", n.Name)
		case !core.NodeReady(n):
			err = fmt.Errorf("node %s is not ready", n.Name)
		case !allowed(class, n):
			err = fmt.Errorf("node %s is not in the class's allowedTopologies", n.Name)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if best == nil || use.Of(n.Name) < use.Of(best.Name) || use.Of(n.Name) == use.Of(best.Name) && n.Name < best.Name {
			best = n
		}
	}
	if best == nil {
		return "", errors.Join(append([]error{errNowhere}, errs...)...)
	}
	return best.Name, nil
}

var errNowhere = errors.New("no node can have the volume")

func keepsAway(t corev1.Taint) bool {
	return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
}

// allowed says whether a node is in one of a class's topologies; none means everywhere.
func allowed(class *storagev1.StorageClass, node *corev1.Node) bool {
	return len(class.AllowedTopologies) == 0 || slices.ContainsFunc(class.AllowedTopologies, func(term corev1.TopologySelectorTerm) bool {
		return len(term.MatchLabelExpressions) > 0 && !slices.ContainsFunc(term.MatchLabelExpressions, func(e corev1.TopologySelectorLabelRequirement) bool {
			value, has := node.Labels[e.Key]
			return !has || !slices.Contains(e.Values, value)
		})
	})
}

// placed is the node that somebody put one of the Pods on that use the claim, without a scheduler that would have chosen it for the claim.
func placed(pods []corev1.Pod) string {
	for i := range pods {
		if p := &pods[i]; p.Spec.NodeName != "" && p.DeletionTimestamp == nil && !core.PodTerminal(p) {
			return p.Spec.NodeName
		}
	}
	return ""
}

// selectNode writes at the claim which node its volume is to be on, as schedulers do. One claim after another, so that each sees what
// is left by the last.
func (r *controller) selectNode(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) error {
	r.choosing.Lock()
	defer r.choosing.Unlock()
	name, err := r.nodeFor(ctx, claim, class)
	if name == "" || err != nil {
		return err
	}
	changed := claim.DeepCopy()
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, volume.AnnSelectedNode, name)
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("choosing node %s for claim %s: %w", name, client.ObjectKeyFromObject(claim), err)
	}
	return nil
}

// nodeFor is empty for a claim whose first Pod is not there yet, or is the scheduler's to place.
func (r *controller) nodeFor(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (string, error) {
	name := ""
	if lazy(class) {
		var err error
		if name, err = r.placed(ctx, claim); name == "" || err != nil {
			return "", err
		}
	}
	use, err := r.use(ctx)
	if err != nil {
		return "", err
	}
	if name != "" {
		var node corev1.Node
		if err := r.client.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return "", client.IgnoreNotFound(err) // its Pods are about to go
		}
		if err := use.NoRoom(claim, &node); err != nil {
			r.fail(claim, err.Error())
			return "", err
		}
		return name, nil
	}
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return "", fmt.Errorf("listing nodes: %w", err)
	}
	name, err = choose(claim, class, nodes.Items, use)
	if err != nil {
		r.fail(claim, err.Error())
	}
	return name, err
}

func (r *controller) placed(ctx context.Context, claim *corev1.PersistentVolumeClaim) (string, error) {
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(claim.Namespace), client.MatchingFields{pvcprotection.ByClaim: claim.Name}); err != nil {
		return "", fmt.Errorf("listing the Pods of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	return placed(pods.Items), nil
}

func (r *controller) use(ctx context.Context) (*matching.Use, error) {
	var volumes corev1.PersistentVolumeList
	var claims corev1.PersistentVolumeClaimList
	if err := errors.Join(r.client.List(ctx, &volumes), r.client.List(ctx, &claims)); err != nil {
		return nil, fmt.Errorf("listing what local volumes there are: %w", err)
	}
	return matching.Used(pointers(volumes.Items), pointers(claims.Items)), nil
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}
