// Package statefulset keeps the Pods of each StatefulSet, which have names and storage of their own.
package statefulset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

	"github.com/coracle-k8s/coracle/controllers/history"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "statefulset-controller"

	workers = 5
)

var (
	kind    = appsv1.SchemeGroupVersion.WithKind("StatefulSet")
	podKind = corev1.SchemeGroupVersion.WithKind("Pod")
)

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	now      func() time.Time
}

// Register puts the controller on the manager. It wakes for StatefulSets, and for their Pods and revisions. c's writes
// must be seen (package seen), owned's indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder, now: time.Now}
	return loop.New(mgr, Name, workers).
		For(&appsv1.StatefulSet{}).
		Watches(&corev1.Pod{}, owned.Wake(kind.Kind, r.adopters)).
		Watches(&appsv1.ControllerRevision{}, owned.Wake(kind.Kind, r.adopters)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*appsv1.StatefulSet](c, r)))
}

func (r *controller) adopters(ctx context.Context, orphan client.Object) []reconcile.Request {
	var sets appsv1.StatefulSetList
	if err := r.client.List(ctx, &sets, client.InNamespace(orphan.GetNamespace())); err != nil {
		return nil
	}
	return owned.Selecting(sets.Items, orphan, func(s *appsv1.StatefulSet) *metav1.LabelSelector { return s.Spec.Selector })
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, set *appsv1.StatefulSet) (reconcile.Result, error) {
	pods, err := r.pods(ctx, set)
	if err != nil {
		return reconcile.Result{}, err
	}
	if set.DeletionTimestamp != nil {
		// It makes nothing any more that would have to go with it.
		o := observation{set: set, pods: pods, current: set.Status.CurrentRevision, update: set.Status.UpdateRevision, now: r.now()}
		return reconcile.Result{RequeueAfter: o.nextAvailable()}, r.writeStatus(ctx, set, o.status(set.Status.CollisionCount))
	}
	current, update, all, err := r.revisions(ctx, set)
	if err != nil {
		return reconcile.Result{}, err
	}
	o := observation{set: set, pods: pods, current: current.Name, update: update.Name, now: r.now()}
	failure := r.carryOut(ctx, o, decide(o), map[string]*appsv1.ControllerRevision{current.Name: current, update.Name: update})
	return reconcile.Result{RequeueAfter: o.nextAvailable()}, errors.Join(
		failure, r.retain(ctx, o), r.writeStatus(ctx, set, o.status(set.Status.CollisionCount)), r.truncate(ctx, o, all))
}

func (r *controller) pods(ctx context.Context, set *appsv1.StatefulSet) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return nil, reconcile.TerminalError(fmt.Errorf("reading the selector of %s: %w", client.ObjectKeyFromObject(set), err))
	}
	var mine, orphans corev1.PodList
	err = errors.Join(owned.List(ctx, r.client, &mine, set), owned.Orphans(ctx, r.client, &orphans, set.Namespace))
	if err != nil {
		return nil, fmt.Errorf("listing pods of %s: %w", client.ObjectKeyFromObject(set), err)
	}
	candidates := podset.Pointers(mine.Items)
	for _, pod := range podset.Pointers(orphans.Items) {
		if ordinalOf(set, pod) >= 0 {
			candidates = append(candidates, pod)
		}
	}
	return owned.Claim(ctx, r.client, set, kind, selector, candidates)
}

// revisions makes sure that there is one of the present template. current is the one from which a rollout comes.
func (r *controller) revisions(ctx context.Context, set *appsv1.StatefulSet) (current, update *appsv1.ControllerRevision, all []*appsv1.ControllerRevision, err error) {
	existing, err := history.Of(ctx, r.client, set, kind, set.Spec.Selector)
	if err != nil {
		return nil, nil, nil, err
	}
	data, err := history.Patch(set)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("noting the template of %s: %w", client.ObjectKeyFromObject(set), err)
	}
	collisions := ptr.Deref(set.Status.CollisionCount, 0)
	update, old, err := history.Ensure(ctx, r.client, revisionOf(set, data, collisions), existing)
	if errors.Is(err, history.ErrCollision) {
		status := *set.Status.DeepCopy()
		status.CollisionCount = ptr.To(collisions + 1)
		return nil, nil, nil, errors.Join(fmt.Errorf("naming a revision of %s: %w", client.ObjectKeyFromObject(set), err), r.writeStatus(ctx, set, status))
	}
	if err != nil {
		return nil, nil, nil, err
	}
	current = update
	if i := slices.IndexFunc(old, func(c *appsv1.ControllerRevision) bool { return c.Name == set.Status.CurrentRevision }); i >= 0 {
		current = old[i]
	}
	return current, update, old, nil
}

func (r *controller) carryOut(ctx context.Context, o observation, p plan, revisions map[string]*appsv1.ControllerRevision) error {
	for _, pod := range p.claims {
		if err := r.ensureClaims(ctx, o.set, pod); err != nil {
			return err
		}
	}
	for _, pod := range p.label {
		if err := r.label(ctx, o.set, pod); err != nil {
			return err
		}
	}
	create := p.create
	if o.inOrder() && len(create) > 1 {
		create = create[:1]
	}
	failures := podset.Together(len(create), func(i int) error { return r.create(ctx, o.set, create[i], revisions[create[i].revision]) })
	failures = append(failures, podset.Together(len(p.remove), func(i int) error { return r.remove(ctx, o.set, p.remove[i]) })...)
	return errors.Join(failures...)
}

func (r *controller) create(ctx context.Context, set *appsv1.StatefulSet, b birth, revision *appsv1.ControllerRevision) error {
	template, err := templateOf(revision)
	if err != nil {
		return err
	}
	pod := podFor(set, &template, revision.Name, b.ordinal)
	err = r.ensureClaims(ctx, set, pod)
	if err == nil {
		err = r.client.Create(ctx, pod)
	}
	if loop.NamespaceGone(err) {
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		r.tell(set, "Create", "Pod "+pod.Name+" in StatefulSet "+set.Name, "successful", err)
	}
	return err
}

func (r *controller) label(ctx context.Context, set *appsv1.StatefulSet, pod *corev1.Pod) error {
	changed := pod.DeepCopy()
	if changed.Labels == nil {
		changed.Labels = map[string]string{}
	}
	maps.Copy(changed.Labels, labelsFor(set, pod.Name))
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("labelling pod %s: %w", client.ObjectKeyFromObject(pod), err)
	}
	return nil
}

func (r *controller) remove(ctx context.Context, set *appsv1.StatefulSet, pod *corev1.Pod) error {
	err := r.client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	r.tell(set, "Delete", "Pod "+pod.Name+" in StatefulSet "+set.Name, "successful", err)
	return err
}

func (r *controller) tell(set *appsv1.StatefulSet, verb, what, success string, err error) {
	if err != nil {
		r.recorder.Eventf(set, nil, corev1.EventTypeWarning, "Failed"+verb, verb, "%s %s failed error: %v", verb, what, err)
		return
	}
	r.recorder.Eventf(set, nil, corev1.EventTypeNormal, "Successful"+verb, verb, "%s %s %s", verb, what, success)
}

// ensureClaims creates the claims that a Pod lacks. One that is being deleted must be gone first, and before a new Pod,
// also one that is going to be, with the last Pod of the name.
func (r *controller) ensureClaims(ctx context.Context, set *appsv1.StatefulSet, pod *corev1.Pod) error {
	isNew := pod.UID == ""
	for _, wanted := range claimsFor(set, ordinalOf(set, pod)) {
		var existing corev1.PersistentVolumeClaim
		err := r.client.Get(ctx, client.ObjectKeyFromObject(wanted), &existing)
		switch {
		case apierrors.IsNotFound(err):
			err = r.client.Create(ctx, wanted)
			if apierrors.IsAlreadyExists(err) {
				continue
			}
			r.tell(set, "Create", "Claim "+wanted.Name+" Pod "+pod.Name+" in StatefulSet "+set.Name, "success", err)
		case err == nil && existing.DeletionTimestamp != nil:
			err = fmt.Errorf("pvc %s is being deleted", wanted.Name)
		case err == nil && isNew && deletedWhenScaled(set) && hasFormer(existing.OwnerReferences, owned.Reference(pod, podKind)):
			err = fmt.Errorf("pvc %s goes with the pod before", wanted.Name)
		}
		if err != nil {
			return fmt.Errorf("claiming storage for pod %s/%s: %w", set.Namespace, pod.Name, err)
		}
	}
	return nil
}

// retain makes claims go with the set or its Pods, as the set's policy says.
func (r *controller) retain(ctx context.Context, o observation) error {
	if len(o.set.Spec.VolumeClaimTemplates) == 0 {
		return nil
	}
	_, condemned := o.replicas()
	for _, pod := range o.pods {
		ordinal := ordinalOf(o.set, pod)
		if ordinal < 0 {
			continue
		}
		for _, claim := range claimsFor(o.set, ordinal) {
			var existing corev1.PersistentVolumeClaim
			if err := r.client.Get(ctx, client.ObjectKeyFromObject(claim), &existing); err != nil {
				if apierrors.IsNotFound(err) {
					continue
				}
				return err
			}
			refs := retention(o.set, pod, slices.Contains(condemned, pod), existing.OwnerReferences)
			if apiequality.Semantic.DeepEqual(refs, existing.OwnerReferences) {
				continue
			}
			changed := existing.DeepCopy()
			changed.OwnerReferences = refs
			if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("changing the owners of claim %s: %w", client.ObjectKeyFromObject(changed), err)
			}
		}
	}
	return nil
}

// truncate keeps the revisions that are current or that Pods are of.
func (r *controller) truncate(ctx context.Context, o observation, old []*appsv1.ControllerRevision) error {
	limit := int(ptr.Deref(o.set.Spec.RevisionHistoryLimit, 10))
	return history.Truncate(ctx, r.client, old, limit, func(revision *appsv1.ControllerRevision) bool {
		return revision.Name == o.current || revision.Name == o.update ||
			slices.ContainsFunc(o.pods, func(pod *corev1.Pod) bool { return revisionName(pod) == revision.Name })
	})
}

func (r *controller) writeStatus(ctx context.Context, set *appsv1.StatefulSet, status appsv1.StatefulSetStatus) error {
	if apiequality.Semantic.DeepEqual(status, set.Status) {
		return nil
	}
	changed := set.DeepCopy()
	changed.Status = status
	return client.IgnoreNotFound(r.client.Status().Update(ctx, changed))
}
