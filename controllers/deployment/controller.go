// Package deployment rolls the Pods of each Deployment from one template to the next, a ReplicaSet for each template.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
)

// Name is the controller's, and that of its service account in kube-system.
const Name = "deployment-controller"

const workers = 5

var kind = appsv1.SchemeGroupVersion.WithKind("Deployment")

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	now      func() time.Time
}

// Register puts the controller on the manager. It wakes for Deployments, and for ReplicaSets that one owns or might
// adopt; a ReplicaSet's status says all it needs to know about Pods. c's writes must be seen (package seen), owned's
// indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder, now: time.Now}
	return loop.New(mgr, Name, workers).
		For(&appsv1.Deployment{}).
		Watches(&appsv1.ReplicaSet{}, owned.Wake(kind.Kind, r.adopters)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*appsv1.Deployment](c, r)))
}

func (r *controller) adopters(ctx context.Context, rs client.Object) []reconcile.Request {
	var all appsv1.DeploymentList
	if err := r.client.List(ctx, &all, client.InNamespace(rs.GetNamespace())); err != nil {
		return nil
	}
	return owned.Selecting(all.Items, rs, func(d *appsv1.Deployment) *metav1.LabelSelector { return d.Spec.Selector })
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, d *appsv1.Deployment) (reconcile.Result, error) {
	if selectsAll(d) {
		return reconcile.Result{}, r.refuse(ctx, d)
	}
	sets, err := r.sets(ctx, d)
	if err != nil {
		return reconcile.Result{}, err
	}
	p, err := decide(d, sets, r.now())
	if err != nil {
		return reconcile.Result{}, reconcile.TerminalError(fmt.Errorf("planning %s: %w", client.ObjectKeyFromObject(d), err))
	}
	if err := r.carryOut(ctx, d, p); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: p.again}, r.writeStatus(ctx, d, p.revision, p.status)
}

func selectsAll(d *appsv1.Deployment) bool {
	s := d.Spec.Selector
	return s != nil && len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}

func (r *controller) refuse(ctx context.Context, d *appsv1.Deployment) error {
	r.recorder.Eventf(d, nil, corev1.EventTypeWarning, "SelectingAll", "Select",
		"This deployment is selecting all pods. A non-empty selector is required.")
	status := *d.Status.DeepCopy()
	status.ObservedGeneration = d.Generation
	return r.writeStatus(ctx, d, "", status)
}

// sets returns the ReplicaSets that d controls, after adopting and releasing.
func (r *controller) sets(ctx context.Context, d *appsv1.Deployment) ([]*appsv1.ReplicaSet, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, reconcile.TerminalError(fmt.Errorf("reading the selector of %s: %w", client.ObjectKeyFromObject(d), err))
	}
	var mine, orphans appsv1.ReplicaSetList
	err = errors.Join(owned.List(ctx, r.client, &mine, d), owned.Orphans(ctx, r.client, &orphans, d.Namespace))
	if err != nil {
		return nil, fmt.Errorf("listing replica sets of %s: %w", client.ObjectKeyFromObject(d), err)
	}
	candidates := make([]*appsv1.ReplicaSet, 0, len(mine.Items)+len(orphans.Items))
	for _, list := range []*appsv1.ReplicaSetList{&mine, &orphans} {
		for i := range list.Items {
			candidates = append(candidates, &list.Items[i])
		}
	}
	return owned.Claim(ctx, r.client, d, kind, selector, candidates)
}

func (r *controller) carryOut(ctx context.Context, d *appsv1.Deployment, p plan) error {
	if p.create != nil {
		if err := r.create(ctx, d, p); err != nil {
			return err
		}
	}
	for _, change := range p.changes {
		if err := r.client.Update(ctx, change.set); err != nil {
			return fmt.Errorf("updating replica set %s: %w", client.ObjectKeyFromObject(change.set), err)
		}
		if from, to := change.from, *change.set.Spec.Replicas; from != to {
			r.tellScaled(d, change.set, from, to)
		}
	}
	for _, set := range p.remove {
		if err := r.client.Delete(ctx, set, client.Preconditions{UID: &set.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting replica set %s: %w", client.ObjectKeyFromObject(set), err)
		}
	}
	return nil
}

func (r *controller) tellScaled(d *appsv1.Deployment, set *appsv1.ReplicaSet, from, to int32) {
	direction := "up"
	if to < from {
		direction = "down"
	}
	r.recorder.Eventf(d, set, corev1.EventTypeNormal, "ScalingReplicaSet", "Scale",
		"Scaled %s replica set %s from %d to %d", direction, set.Name, from, to)
}

// create creates the ReplicaSet of a new template.
func (r *controller) create(ctx context.Context, d *appsv1.Deployment, p plan) error {
	err := r.client.Create(ctx, p.create)
	switch {
	case err == nil:
		if size := *p.create.Spec.Replicas; size > 0 {
			r.tellScaled(d, p.create, 0, size)
		}
		return nil
	case apierrors.IsAlreadyExists(err):
		return errors.Join(err, r.countCollision(ctx, d))
	case loop.NamespaceGone(err):
		return reconcile.TerminalError(err)
	}
	message := fmt.Sprintf("Failed to create new replica set %q: %v", p.create.Name, err)
	r.recorder.Eventf(d, nil, corev1.EventTypeWarning, reasonCreateFailed, "Create", "%s", message)
	if !hasDeadline(d) {
		return err
	}
	status := *d.Status.DeepCopy()
	setCondition(&status, condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, reasonCreateFailed, message, r.now()))
	return errors.Join(err, r.writeStatus(ctx, d, "", status))
}

// countCollision makes the next attempt use another name: this one is a foreign ReplicaSet's, or one of another
// template with the same hash, as all that d owns were seen before.
func (r *controller) countCollision(ctx context.Context, d *appsv1.Deployment) error {
	status := *d.Status.DeepCopy()
	status.CollisionCount = ptr.To(ptr.Deref(status.CollisionCount, 0) + 1)
	return r.writeStatus(ctx, d, "", status)
}

// writeStatus writes the status, and with it the revision annotation unless revision is empty, if either changes.
func (r *controller) writeStatus(ctx context.Context, d *appsv1.Deployment, revision string, status appsv1.DeploymentStatus) error {
	sameRevision := revision == "" || d.Annotations[revisionAnnotation] == revision
	if sameRevision && apiequality.Semantic.DeepEqual(d.Status, status) {
		return nil
	}
	changed := d.DeepCopy()
	changed.Status = status
	if !sameRevision {
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, revisionAnnotation, revision)
	}
	return client.IgnoreNotFound(r.client.Status().Update(ctx, changed))
}
