// Package localstorage makes volumes in directories of nodes for claims of classes with the provisioner coracle.io/local, and has the
// directories taken away when their claims are gone. Nodes make and delete them when they are asked to, and need no rights for it.
package localstorage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-helpers/storage/volume"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "local-storage-controller"

	// A node that does not answer holds up its own volumes only.
	workers    = 8
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
)

// Nodes make directories and take them away.
type Nodes interface {
	// Make returns where the volume's directory is on the node. Idempotent.
	Make(ctx context.Context, node, volume string) (path string, err error)
	// Delete is idempotent, too.
	Delete(ctx context.Context, node, volume string) error
}

// ErrNone is why a node makes no volumes: it does not offer to.
var ErrNone = errors.New("the node has no local storage")

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	nodes    Nodes
}

// Register puts the controller on the manager. It wakes for claims that are its, volumes that it made, and a cluster that it has made no
// class for. A request names a claim, with an empty namespace a volume, or with an empty name nothing but the cluster.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder, nodes Nodes) error {
	r := &controller{client: c, recorder: recorder, nodes: nodes}
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&corev1.PersistentVolumeClaim{}, loop.Only(loop.Where(asked))).
		Watches(&corev1.PersistentVolume{}, loop.ToRequests(requestOf), loop.Only(loop.Where(ours))).
		Watches(&corev1.Namespace{}, loop.ToRequests(requestOf), loop.Only(loop.Where(undecided))).
		Complete(loop.Contained(Name, r))
}

func asked(c *corev1.PersistentVolumeClaim) bool {
	return c.Spec.VolumeName == "" && c.DeletionTimestamp == nil && c.Annotations[volume.AnnStorageProvisioner] == api.LocalProvisioner
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

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	switch {
	case request.Name == "":
		return reconcile.Result{}, r.decideClass(ctx)
	case request.Namespace == "":
		return reconcile.Result{}, r.endVolume(ctx, request.Name)
	}
	var claim corev1.PersistentVolumeClaim
	if err := r.client.Get(ctx, request.NamespacedName, &claim); err != nil || !asked(&claim) {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var class storagev1.StorageClass
	err := r.client.Get(ctx, client.ObjectKey{Name: volume.GetPersistentVolumeClaimClass(&claim)}, &class)
	if err != nil || class.Provisioner != api.LocalProvisioner {
		return reconcile.Result{}, client.IgnoreNotFound(err) // whoever binds claims says so
	}
	if why := unable(&claim, &class); why != "" {
		r.fail(&claim, why)
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.provision(ctx, &claim, &class)
}

func (r *controller) fail(claim *corev1.PersistentVolumeClaim, why string) {
	r.recorder.Eventf(claim, nil, corev1.EventTypeWarning, "ProvisioningFailed", "Provision", "failed to provision volume: %s", why)
}

// provision makes the directory first: a volume that is in the API is there.
func (r *controller) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) error {
	name := matching.Selected(claim)
	if name == "" { // to do: choose a node for classes that bind at once
		r.fail(claim, "volumes are made for their first consumer: volumeBindingMode must be WaitForFirstConsumer")
		return nil
	}
	var node corev1.Node
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, &node)
	if apierrors.IsNotFound(err) {
		return r.giveUp(ctx, claim, fmt.Sprintf("node %s is gone", name))
	}
	if err != nil {
		return err
	}
	path, err := r.nodes.Make(ctx, name, nameOf(claim))
	if errors.Is(err, ErrNone) {
		return r.giveUp(ctx, claim, fmt.Sprintf("node %s has no local storage", name))
	}
	if err != nil {
		r.fail(claim, err.Error())
		return fmt.Errorf("making a volume for claim %s on node %s: %w", client.ObjectKeyFromObject(claim), name, err)
	}
	v, err := made(claim, class, &node, path)
	if err != nil {
		return r.giveUp(ctx, claim, err.Error())
	}
	if err := r.client.Create(ctx, v); apierrors.IsAlreadyExists(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("creating the volume of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	r.recorder.Eventf(claim, nil, corev1.EventTypeNormal, "ProvisioningSucceeded", "Provision", "Successfully provisioned volume %s", v.Name)
	return nil
}

// giveUp lets the scheduler choose another node.
func (r *controller) giveUp(ctx context.Context, claim *corev1.PersistentVolumeClaim, why string) error {
	r.fail(claim, why)
	changed := claim.DeepCopy()
	delete(changed.Annotations, volume.AnnSelectedNode)
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("giving up the node of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	return nil
}

// endVolume takes away the directory of a volume that nobody needs, and lets the volume go. The volume waits for a node that is away,
// and for one that is gone: that may come back, with its directories. A person may know better, and deletes the finalizer.
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
	case destroy:
		if err := r.nodes.Delete(ctx, v.Annotations[onNode], v.Name); err != nil {
			r.recorder.Eventf(&v, nil, corev1.EventTypeWarning, "VolumeFailedDelete", "Delete", "%v", err)
			return fmt.Errorf("deleting volume %s on node %s: %w", v.Name, v.Annotations[onNode], err)
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
