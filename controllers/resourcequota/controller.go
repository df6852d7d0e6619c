// Package resourcequota measures what each ResourceQuota's namespace uses of it.
//
// Admission adds up what is created; this is what notices when something is gone, and puts right what admission charged
// for objects that were refused after all.
package resourcequota

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "resourcequota-controller"

	workers = 5
	// settle is how long after a charge by admission usage is measured again: the object is written or refused by then.
	settle = 10 * time.Second
	// patience is how long the first list of what is counted is waited for. What is defined no more is never listed.
	patience = 2 * time.Second
	// conflictPause is how long after admission came between it is tried again.
	conflictPause = 100 * time.Millisecond
)

type controller struct {
	client client.Client
	cache  cache.Cache
	mapper meta.RESTMapper
	now    func() time.Time

	charges charges

	lock  sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
	// watched are the kinds, beside those measured, whose objects some quota counts. Their informers stop when a kind is
	// not served any more.
	watched map[schema.GroupVersionKind]cache.Informer
}

// Register puts the controller on the manager. It wakes for ResourceQuotas, and when something that one measures or
// counts changes or goes.
func Register(mgr manager.Manager, c client.Client) error {
	r := &controller{
		client: c, cache: mgr.GetCache(), mapper: mgr.GetRESTMapper(), now: time.Now, watched: map[schema.GroupVersionKind]cache.Informer{},
	}
	return loop.New(mgr, Name, workers).
		Watches(&corev1.ResourceQuota{}, r.onQuota()).
		Watches(&corev1.Pod{}, quotas(r.client, r.samePod)).
		Watches(&corev1.Service{}, quotas(r.client, sameService)).
		Watches(&corev1.PersistentVolumeClaim{}, quotas(r.client, sameClaim)).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			r.queue = queue
			return nil
		})).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.ResourceQuota](c, r)))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, q *corev1.ResourceQuota) (reconcile.Result, error) {
	now := r.now()
	again := reconcile.Result{RequeueAfter: r.charges.settledIn(client.ObjectKeyFromObject(q), now)}
	found, err := r.observe(ctx, q)
	if err != nil {
		return again, err
	}
	if overdue := nextOverdue(found.pods, now); overdue > 0 && (again.RequeueAfter == 0 || overdue < again.RequeueAfter) {
		again.RequeueAfter = overdue
	}
	status, err := decide(q, found, now)
	err = errors.Join(err, found.uncounted)
	same := apiequality.Semantic.DeepEqual(status.Hard, q.Status.Hard) && q.Status.Used != nil && quota.Equals(status.Used, q.Status.Used)
	if same {
		return again, err
	}
	changed := q.DeepCopy()
	changed.Status = status
	failure := client.IgnoreNotFound(r.client.Status().Update(ctx, changed))
	if apierrors.IsConflict(failure) {
		// Admission charged meanwhile, as it does all the time where much is created: no reason for ever longer pauses.
		again.RequeueAfter, failure = conflictPause, nil
	}
	return again, errors.Join(err, failure)
}

func (r *controller) observe(ctx context.Context, q *corev1.ResourceQuota) (contents, error) {
	var (
		pods     corev1.PodList
		services corev1.ServiceList
		claims   corev1.PersistentVolumeClaimList
		found    = contents{counts: map[corev1.ResourceName]int{}}
		errs     []error
	)
	in := client.InNamespace(q.Namespace)
	for name := range q.Spec.Hard {
		switch {
		case core.IsPodQuota(name) && pods.Items == nil:
			errs = append(errs, r.client.List(ctx, &pods, in))
		case core.IsServiceQuota(name) && services.Items == nil:
			errs = append(errs, r.client.List(ctx, &services, in))
		case core.IsClaimQuota(name) && claims.Items == nil:
			errs = append(errs, r.client.List(ctx, &claims, in))
		}
		if resource, ok := counted(name); ok {
			n, known, err := r.count(ctx, resource, q.Namespace)
			if known {
				found.counts[name] = n
			}
			found.uncounted = errors.Join(found.uncounted, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return found, fmt.Errorf("measuring quota %s: %w", client.ObjectKeyFromObject(q), err)
	}
	found.pods, found.services, found.claims = pods.Items, services.Items, claims.Items
	return found, nil
}

// count counts the objects of a resource; known is false for one that is not served.
func (r *controller) count(ctx context.Context, resource schema.GroupResource, namespace string) (n int, known bool, err error) {
	kind, err := r.mapper.KindFor(resource.WithVersion(""))
	if meta.IsNoMatchError(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("finding the kind of %s: %w", resource, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.watch(ctx, kind); err != nil {
		return 0, false, err
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := r.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return 0, false, fmt.Errorf("listing %s: %w", resource, err)
	}
	return len(list.Items), true, nil
}
