// Package daemon keeps one Pod of each DaemonSet on every Node that should have one.
package daemon

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/history"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "daemon-set-controller"

	workers = 2

	firstReplacement = time.Second
	lastReplacement  = 15 * time.Minute
)

var kind = appsv1.SchemeGroupVersion.WithKind("DaemonSet")

type controller struct {
	client   client.Client
	pods     podset.Control
	recorder events.EventRecorder
	now      func() time.Time
	// failures keeps a Pod that fails on a Node from being replaced all the time.
	failures *flowcontrol.Backoff
}

// Register puts the controller on the manager. It wakes for DaemonSets, for their Pods and revisions, and for Nodes
// where that can matter. c's writes must be seen (package seen), owned's indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{
		client: c, pods: podset.Control{Client: c, Recorder: recorder}, recorder: recorder, now: time.Now,
		failures: flowcontrol.NewBackOff(firstReplacement, lastReplacement),
	}
	return loop.New(mgr, Name, workers).
		For(&appsv1.DaemonSet{}).
		Watches(&corev1.Pod{}, owned.Wake(kind.Kind, r.adopters)).
		Watches(&appsv1.ControllerRevision{}, owned.Wake(kind.Kind, r.adopters)).
		Watches(&corev1.Node{}, loop.ToRequests(r.all), loop.Only(loop.Changed(matters))).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*appsv1.DaemonSet](c, r)))
}

// matters: only labels and taints decide where daemons run.
func matters(old, now *corev1.Node) bool {
	return !maps.Equal(old.Labels, now.Labels) || !apiequality.Semantic.DeepEqual(old.Spec.Taints, now.Spec.Taints)
}

func (r *controller) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var sets appsv1.DaemonSetList
	if err := r.client.List(ctx, &sets); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range sets.Items {
		requests = append(requests, loop.Request(sets.Items[i].Namespace, sets.Items[i].Name))
	}
	return requests
}

func (r *controller) adopters(ctx context.Context, orphan client.Object) []reconcile.Request {
	var sets appsv1.DaemonSetList
	if err := r.client.List(ctx, &sets, client.InNamespace(orphan.GetNamespace())); err != nil {
		return nil
	}
	return owned.Selecting(sets.Items, orphan, func(ds *appsv1.DaemonSet) *metav1.LabelSelector { return ds.Spec.Selector })
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, ds *appsv1.DaemonSet) (reconcile.Result, error) {
	if s := ds.Spec.Selector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		r.recorder.Eventf(ds, nil, corev1.EventTypeWarning, "SelectingAll", "Select",
			"This daemon set is selecting all pods. A non-empty selector is required.")
		return reconcile.Result{}, nil
	}
	if ds.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	current, old, err := r.revisions(ctx, ds)
	if err != nil {
		return reconcile.Result{}, err
	}
	o, err := r.observe(ctx, ds, current.Labels[appsv1.ControllerRevisionHashLabelKey])
	if err != nil {
		return reconcile.Result{}, err
	}
	again, failure := r.carryOut(ctx, o, decide(o))
	again = sooner(again, o.nextAvailable())
	return reconcile.Result{RequeueAfter: again}, errors.Join(failure, r.truncate(ctx, o, old), r.writeStatus(ctx, ds, o.status()))
}

// revisions makes sure that there is one of the current template.
func (r *controller) revisions(ctx context.Context, ds *appsv1.DaemonSet) (current *appsv1.ControllerRevision, old []*appsv1.ControllerRevision, err error) {
	existing, err := history.Of(ctx, r.client, ds, kind, ds.Spec.Selector)
	if err != nil {
		return nil, nil, err
	}
	data, err := history.Patch(ds)
	if err != nil {
		return nil, nil, fmt.Errorf("noting the template of %s: %w", client.ObjectKeyFromObject(ds), err)
	}
	hash := podset.TemplateHash(&ds.Spec.Template, ds.Status.CollisionCount)
	wanted := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ds.Namespace, Name: ds.Name + "-" + hash,
			Labels: maps.Clone(ds.Spec.Template.Labels), Annotations: maps.Clone(ds.Annotations),
			OwnerReferences: []metav1.OwnerReference{owned.Reference(ds, kind)},
		},
		Data: data,
	}
	if wanted.Labels == nil {
		wanted.Labels = map[string]string{}
	}
	wanted.Labels[appsv1.ControllerRevisionHashLabelKey] = hash
	current, old, err = history.Ensure(ctx, r.client, wanted, existing)
	if errors.Is(err, history.ErrCollision) {
		status := *ds.Status.DeepCopy()
		status.CollisionCount = ptr.To(ptr.Deref(status.CollisionCount, 0) + 1)
		return nil, nil, errors.Join(fmt.Errorf("naming a revision of %s: %w", client.ObjectKeyFromObject(ds), err), r.writeStatus(ctx, ds, status))
	}
	return current, old, err
}

func (r *controller) observe(ctx context.Context, ds *appsv1.DaemonSet, hash string) (observation, error) {
	o := observation{ds: ds, hash: hash, now: r.now(), pods: map[string][]*corev1.Pod{}}
	selector, err := metav1.LabelSelectorAsSelector(ds.Spec.Selector)
	if err != nil {
		return o, reconcile.TerminalError(fmt.Errorf("reading the selector of %s: %w", client.ObjectKeyFromObject(ds), err))
	}
	var nodes corev1.NodeList
	var mine, orphans corev1.PodList
	err = errors.Join(r.client.List(ctx, &nodes), owned.List(ctx, r.client, &mine, ds), owned.Orphans(ctx, r.client, &orphans, ds.Namespace))
	if err != nil {
		return o, fmt.Errorf("observing %s: %w", client.ObjectKeyFromObject(ds), err)
	}
	o.nodes = nodes.Items
	o = o.judged()
	candidates := append(podset.Pointers(mine.Items), podset.Pointers(orphans.Items)...)
	pods, err := owned.Claim(ctx, r.client, ds, kind, selector, candidates)
	for _, pod := range pods {
		if core.PodTerminal(pod) && pod.DeletionTimestamp != nil {
			continue
		}
		o.pods[target(pod)] = append(o.pods[target(pod)], pod)
	}
	return o, err
}

// carryOut returns the first failure of each kind, and when what must not be done yet may be done.
func (r *controller) carryOut(ctx context.Context, o observation, p plan) (again time.Duration, err error) {
	for _, pod := range p.ended {
		if wait := r.replace(o.ds, pod); wait > 0 {
			again = sooner(again, wait)
			continue
		}
		p.remove = append(p.remove, pod)
	}
	create := p.create[:min(len(p.create), podset.Burst)]
	next := make(chan string, len(create))
	for _, node := range create {
		next <- node
	}
	_, failure := podset.InBatches(len(create), func() error {
		_, err := r.pods.Create(ctx, o.ds, podFor(o.ds, <-next, o.hash))
		return err
	})
	remove := p.remove[:min(len(p.remove), podset.Burst)]
	failures := podset.Together(len(remove), func(i int) error { return r.pods.Delete(ctx, o.ds, remove[i]) })
	return again, errors.Join(slices.Concat(failures[:min(1, len(failures))], []error{failure})...)
}

// sooner is the lesser of two waits, of which zero is for ever.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// replace tells that a Pod ended, and returns how long it must stay until it may be replaced.
func (r *controller) replace(ds *appsv1.DaemonSet, pod *corev1.Pod) time.Duration {
	if pod.Status.Phase == corev1.PodSucceeded {
		r.recorder.Eventf(ds, pod, corev1.EventTypeNormal, "SucceededDaemonPod", "Replace",
			"Found succeeded daemon pod %s/%s on node %s, will try to delete it", pod.Namespace, pod.Name, target(pod))
		return 0
	}
	key := fmt.Sprintf("%s/%d/%s", ds.UID, ds.Status.ObservedGeneration, target(pod))
	if r.failures.IsInBackOffSinceUpdate(key, r.now()) {
		return r.failures.Get(key)
	}
	r.failures.GC()
	r.failures.Next(key, r.now())
	r.recorder.Eventf(ds, pod, corev1.EventTypeWarning, "FailedDaemonPod", "Replace",
		"Found failed daemon pod %s/%s on node %s, will try to kill it", pod.Namespace, pod.Name, target(pod))
	return 0
}

// truncate keeps the revisions of Pods that there still are.
func (r *controller) truncate(ctx context.Context, o observation, old []*appsv1.ControllerRevision) error {
	live := map[string]bool{}
	for _, pods := range o.pods {
		for _, pod := range pods {
			live[pod.Labels[appsv1.ControllerRevisionHashLabelKey]] = true
		}
	}
	return history.Truncate(ctx, r.client, old, historyLimit(o.ds), func(revision *appsv1.ControllerRevision) bool {
		return live[revision.Labels[appsv1.ControllerRevisionHashLabelKey]]
	})
}

func (r *controller) writeStatus(ctx context.Context, ds *appsv1.DaemonSet, status appsv1.DaemonSetStatus) error {
	if apiequality.Semantic.DeepEqual(status, ds.Status) {
		return nil
	}
	changed := ds.DeepCopy()
	changed.Status = status
	return client.IgnoreNotFound(r.client.Status().Update(ctx, changed))
}
