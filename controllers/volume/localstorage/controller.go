// Package localstorage makes volumes in directories of nodes for claims of classes with the provisioner coracle.io/local, and has the
// directories taken away when their claims are gone. Nodes make and delete them when they are asked to, and need no rights for it.
package localstorage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
	"github.com/coracle-k8s/coracle/controllers/volume/pvcprotection"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "local-storage-controller"

	// A node that does not answer holds up its own volumes only.
	workers    = 8
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
	// patience is how long a node may take for a directory.
	patience = 30 * time.Second
)

// Nodes make directories and take them away.
type Nodes interface {
	// Make makes the volume's directory on the node, keeps a record of the volume, and returns where the directory is. Idempotent.
	Make(ctx context.Context, node string, v *corev1.PersistentVolume) (path string, err error)
	// Delete is idempotent, too.
	Delete(ctx context.Context, node, volume string) error
}

// ErrNone is why a node makes no volumes: it does not offer to. ErrFull is why it does not make this one.
var (
	ErrNone = errors.New("the node has no local storage")
	ErrFull = errors.New("its disk is full")
)

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	nodes    Nodes
	choosing sync.Mutex // held while a node is chosen, which is short
}

// The indexes of volumes by their node, and of claims that wait for theirs.
const (
	byNode  = "localNode"
	byStage = "localStage"
	waiting = "waiting"
)

// AddIndexes indexes local volumes and claims for them. Call once for each manager, before any informer is started.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	return errors.Join(
		indexer.IndexField(ctx, &corev1.PersistentVolume{}, byNode, func(o client.Object) []string {
			if node := o.GetAnnotations()[api.LocalNode]; node != "" {
				return []string{node}
			}
			return nil
		}),
		indexer.IndexField(ctx, &corev1.PersistentVolumeClaim{}, byStage, func(o client.Object) []string {
			if asked(o.(*corev1.PersistentVolumeClaim)) {
				return []string{waiting}
			}
			return nil
		}),
	)
}

// Register puts the controller on the manager. It wakes for claims that are or may be its, the Pods that somebody placed with them, volumes
// that it made, nodes that come and go, and a cluster that it has made no class for. A request names a claim, with an empty namespace a
// volume, or with an empty name nothing but the cluster. AddIndexes, also pvcprotection's, must have been called.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder, nodes Nodes) error {
	r := &controller{client: c, recorder: recorder, nodes: nodes}
	readiness := func(old, now *corev1.Node) bool {
		return core.NodeReady(old) != core.NodeReady(now) || old.Spec.Unschedulable != now.Spec.Unschedulable || old.Annotations[api.LocalRoom] != now.Annotations[api.LocalRoom]
	}
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&corev1.PersistentVolumeClaim{}, loop.Only(predicate.Or(loop.Where(open), loop.Where(growing)))).
		Watches(&corev1.Pod{}, loop.ToRequests(pvcprotection.ClaimsOf), loop.Only(loop.Where(starting))).
		Watches(&corev1.PersistentVolume{}, loop.ToRequests(requestOf), loop.Only(loop.Where(ours))).
		Watches(&corev1.Node{}, loop.ToRequests(r.onNode), loop.Only(loop.Changed(readiness))).
		Watches(&corev1.Namespace{}, loop.ToRequests(requestOf), loop.Only(loop.Where(undecided))).
		Complete(loop.Contained(Name, r))
}

// open claims have no volume, and are nobody else's to make one for.
func open(c *corev1.PersistentVolumeClaim) bool {
	by := c.Annotations[volume.AnnStorageProvisioner]
	return c.Spec.VolumeName == "" && c.DeletionTimestamp == nil && (by == "" || by == api.LocalProvisioner)
}

func asked(c *corev1.PersistentVolumeClaim) bool {
	return open(c) && c.Annotations[volume.AnnStorageProvisioner] == api.LocalProvisioner
}

// starting Pods have a node and no container yet.
func starting(p *corev1.Pod) bool {
	return p.Spec.NodeName != "" && p.DeletionTimestamp == nil && (p.Status.Phase == corev1.PodPending || p.Status.Phase == "")
}

func ours(v *corev1.PersistentVolume) bool {
	return v.Annotations[volume.AnnDynamicallyProvisioned] == api.LocalProvisioner && slices.Contains(v.Finalizers, api.LocalFinalizer)
}

func requestOf(_ context.Context, o client.Object) []reconcile.Request {
	if _, is := o.(*corev1.Namespace); is {
		return []reconcile.Request{loop.Request(o.GetName(), "")}
	}
	return []reconcile.Request{loop.Request("", o.GetName())}
}

// onNode wakes the node's volumes, of which some may wait to be deleted, and the claims without a volume.
func (r *controller) onNode(ctx context.Context, o client.Object) (requests []reconcile.Request) {
	var volumes corev1.PersistentVolumeList
	var claims corev1.PersistentVolumeClaimList
	err := errors.Join(
		r.client.List(ctx, &volumes, client.MatchingFields{byNode: o.GetName()}), r.client.List(ctx, &claims, client.MatchingFields{byStage: waiting}))
	if err != nil {
		klog.FromContext(ctx).Error(err, "Listing local volumes", "node", o.GetName())
	}
	for i := range volumes.Items {
		requests = append(requests, loop.Request("", volumes.Items[i].Name))
	}
	for i := range claims.Items {
		requests = append(requests, loop.Request(claims.Items[i].Namespace, claims.Items[i].Name))
	}
	return requests
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	switch {
	case request.Name == "":
		return reconcile.Result{}, r.decideClass(ctx)
	case request.Namespace == "":
		return reconcile.Result{}, r.endVolume(ctx, request.Name)
	}
	var claim corev1.PersistentVolumeClaim
	if err := r.client.Get(ctx, request.NamespacedName, &claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	switch {
	case growing(&claim):
		return reconcile.Result{}, r.grow(ctx, &claim)
	case !open(&claim):
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.begin(ctx, &claim)
}

// begin makes a claim's volume, or says why it cannot be made.
func (r *controller) begin(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	var class storagev1.StorageClass
	err := r.client.Get(ctx, client.ObjectKey{Name: volume.GetPersistentVolumeClaimClass(claim)}, &class)
	if err != nil || class.Provisioner != api.LocalProvisioner {
		return client.IgnoreNotFound(err) // whoever binds claims says so
	}
	if why := unable(claim, &class); why != "" && asked(claim) {
		r.fail(claim, why)
		return nil
	}
	switch {
	case matching.Selected(claim) == "" && (asked(claim) || lazy(&class)):
		return r.selectNode(ctx, claim, &class)
	case matching.Selected(claim) != "" && asked(claim):
		return r.provision(ctx, claim, &class)
	}
	return nil // whoever binds claims asks when there is no volume for it
}

func lazy(class *storagev1.StorageClass) bool {
	return ptr.Deref(class.VolumeBindingMode, storagev1.VolumeBindingImmediate) == storagev1.VolumeBindingWaitForFirstConsumer
}

func (r *controller) fail(claim *corev1.PersistentVolumeClaim, why string) {
	r.recorder.Eventf(claim, nil, corev1.EventTypeWarning, "ProvisioningFailed", "Provision", "failed to provision volume: %s", why)
}

// provision makes the directory first: a volume that is in the API is there.
func (r *controller) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) error {
	name := matching.Selected(claim)
	var node corev1.Node
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, &node)
	if apierrors.IsNotFound(err) {
		return r.giveUp(ctx, claim, fmt.Errorf("node %s is gone", name))
	}
	if err != nil {
		return err
	}
	v, err := made(claim, class, &node)
	if err == nil && !core.NodeReady(&node) {
		err = fmt.Errorf("node %s is not ready", name)
	}
	if err != nil {
		return r.another(ctx, claim, class, err)
	}
	within, cancel := context.WithTimeout(ctx, patience)
	v.Spec.Local.Path, err = r.nodes.Make(within, name, v)
	cancel()
	switch {
	case errors.Is(err, ErrNone) || errors.Is(err, ErrFull):
		return r.another(ctx, claim, class, fmt.Errorf("node %s: %w", name, err))
	case err != nil:
		r.fail(claim, err.Error())
		return fmt.Errorf("making a volume for claim %s on node %s: %w", client.ObjectKeyFromObject(claim), name, err)
	}
	if err := r.client.Create(ctx, v); apierrors.IsAlreadyExists(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("creating the volume of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	r.recorder.Eventf(claim, nil, corev1.EventTypeNormal, "ProvisioningSucceeded", "Provision", "Successfully provisioned volume %s", v.Name)
	r.recorder.Eventf(claim, nil, corev1.EventTypeNormal, "SizeNotEnforced", "Provision", "Pods may write more than %s into volume %s: its file system has no quotas that are used",
		claim.Spec.Resources.Requests.Storage(), v.Name)
	return nil
}

// another lets the scheduler choose another node, if it was its choice: it hears of the reason by the claim's Events. Another choice
// of ours would be the same: it is tried again.
func (r *controller) another(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, why error) error {
	if lazy(class) {
		name, err := r.placed(ctx, claim)
		if err != nil {
			return err
		}
		if name == "" {
			return r.giveUp(ctx, claim, why)
		}
	}
	r.fail(claim, why.Error())
	return fmt.Errorf("making a volume for claim %s: %w", client.ObjectKeyFromObject(claim), why)
}

// giveUp forgets the node that was chosen.
func (r *controller) giveUp(ctx context.Context, claim *corev1.PersistentVolumeClaim, why error) error {
	r.fail(claim, why.Error())
	changed := claim.DeepCopy()
	delete(changed.Annotations, volume.AnnSelectedNode)
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("giving up the node of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	return nil
}

// endVolume takes away the directory of a volume that nobody needs, and lets the volume go.
func (r *controller) endVolume(ctx context.Context, name string) error {
	var v corev1.PersistentVolume
	if err := r.client.Get(ctx, client.ObjectKey{Name: name}, &v); err != nil || !ours(&v) {
		return client.IgnoreNotFound(err)
	}
	claim, err := r.claimOf(ctx, &v)
	if err != nil {
		return err
	}
	switch fateOf(&v, claim) {
	case keep:
		return nil
	case note:
		changed := v.DeepCopy()
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, madeAs, string(v.UID))
		if err := r.client.Patch(ctx, changed, client.MergeFrom(&v)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("noting that volume %s has its claim: %w", v.Name, err)
		}
		return nil
	case doubt:
		r.recorder.Eventf(&v, nil, corev1.EventTypeWarning, "VolumeFailedDelete", "Delete",
			"the volume never had its claim in this cluster, and is kept: delete its claimRef to use it, or annotate it %s=%s to delete it with its data", madeAs, v.UID)
		return nil
	case destroy:
		if done, err := r.destroy(ctx, &v); !done {
			return err
		}
	}
	changed := v.DeepCopy()
	changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == api.LocalFinalizer })
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("letting volume %s go: %w", v.Name, err)
	}
	if err := r.client.Delete(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting volume %s: %w", v.Name, err)
	}
	return nil
}

// destroy has a volume's directory taken away. The volume waits for a node that is away, and for one that is gone: that may come back, with
// its directories. A person may know better, and deletes the finalizer.
func (r *controller) destroy(ctx context.Context, v *corev1.PersistentVolume) (done bool, err error) {
	name := v.Annotations[api.LocalNode]
	var node corev1.Node
	err = r.client.Get(ctx, client.ObjectKey{Name: name}, &node)
	switch {
	case apierrors.IsNotFound(err):
		r.recorder.Eventf(v, nil, corev1.EventTypeWarning, "VolumeFailedDelete", "Delete",
			"node %s is gone: if its data is gone, too, delete the finalizer %s", name, api.LocalFinalizer)
		return false, nil // it wakes us when it comes back
	case err != nil:
		return false, err
	case !core.NodeReady(&node):
		r.recorder.Eventf(v, nil, corev1.EventTypeWarning, "VolumeFailedDelete", "Delete", "node %s is not ready: waiting for it", name)
		return false, nil // likewise
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.nodes.Delete(within, name, v.Name); err != nil {
		r.recorder.Eventf(v, nil, corev1.EventTypeWarning, "VolumeFailedDelete", "Delete", "%v", err)
		return false, fmt.Errorf("deleting volume %s on node %s: %w", v.Name, name, err)
	}
	return true, nil
}

func (r *controller) claimOf(ctx context.Context, v *corev1.PersistentVolume) (*corev1.PersistentVolumeClaim, error) {
	if v.Spec.ClaimRef == nil {
		return nil, nil
	}
	var claim corev1.PersistentVolumeClaim
	err := r.client.Get(ctx, client.ObjectKey{Namespace: v.Spec.ClaimRef.Namespace, Name: v.Spec.ClaimRef.Name}, &claim)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return &claim, nil
}
