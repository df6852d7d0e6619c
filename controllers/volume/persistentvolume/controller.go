// Package persistentvolume binds PersistentVolumeClaims to PersistentVolumes.
//
// Volumes are made and destroyed by external provisioners; what they need to know is written on the claim.
package persistentvolume

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

const (
	// Name is the controller's.
	Name = "persistentvolume-binder-controller"
	// Account is the service account in kube-system as which it writes.
	Account = "persistent-volume-binder"

	// betaProvisioner is what older provisioners read.
	betaProvisioner = "volume.beta.kubernetes.io/storage-provisioner"

	// One worker: a volume that is chosen must be seen to be taken before the next is.
	workers = 1

	firstRetry = 5 * time.Millisecond
	lastRetry  = time.Minute
)

// A request names a claim, or with an empty namespace a volume.

type controller struct {
	client   client.Client
	recorder events.EventRecorder
}

// Register puts the controller on the manager. It wakes for claims, volumes and storage classes. c's writes must be seen
// (package seen), AddIndexes called.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder}
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&corev1.PersistentVolumeClaim{}).
		Watches(&corev1.PersistentVolumeClaim{}, loop.ToRequests(volumeOf)).
		Watches(&corev1.PersistentVolume{}, loop.ToRequests(r.onVolume)).
		Watches(&storagev1.StorageClass{}, loop.ToRequests(r.onClass)).
		Complete(loop.Contained(Name, r))
}

func volumeOf(_ context.Context, o client.Object) []reconcile.Request {
	if name := o.(*corev1.PersistentVolumeClaim).Spec.VolumeName; name != "" {
		return []reconcile.Request{loop.Request("", name)}
	}
	return nil
}

// onVolume wakes the volume and its claim, or if it is free, every claim that may get it.
func (r *controller) onVolume(ctx context.Context, o client.Object) []reconcile.Request {
	v := o.(*corev1.PersistentVolume)
	requests := []reconcile.Request{loop.Request("", v.Name)}
	if ref := v.Spec.ClaimRef; ref != nil {
		return append(requests, loop.Request(ref.Namespace, ref.Name))
	}
	return append(requests, r.wishing(ctx, naming(v.Name), ofClass(volume.GetPersistentVolumeClass(v)))...)
}

func (r *controller) onClass(ctx context.Context, o client.Object) []reconcile.Request {
	wishes := []string{ofClass(o.GetName())}
	if api.IsDefaultClass(o.(*storagev1.StorageClass)) {
		wishes = append(wishes, ofClass(""))
	}
	return r.wishing(ctx, wishes...)
}

// wishing are the claims without a volume that wait for one of these.
func (r *controller) wishing(ctx context.Context, wishes ...string) []reconcile.Request {
	var requests []reconcile.Request
	for _, wish := range wishes {
		var claims corev1.PersistentVolumeClaimList
		if err := r.client.List(ctx, &claims, client.MatchingFields{byWish: wish}); err != nil {
			klog.FromContext(ctx).Error(err, "Listing claims", "wish", wish)
		}
		for i := range claims.Items {
			requests = append(requests, loop.Request(claims.Items[i].Namespace, claims.Items[i].Name))
		}
	}
	return requests
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request.Namespace == "" {
		return reconcile.Result{}, r.reconcileVolume(ctx, request.Name)
	}
	var claim corev1.PersistentVolumeClaim
	if err := r.client.Get(ctx, request.NamespacedName, &claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if claim.DeletionTimestamp != nil && claim.Spec.VolumeName == "" {
		return reconcile.Result{}, nil
	}
	if metav1.HasAnnotation(claim.ObjectMeta, volume.AnnBindCompleted) {
		return reconcile.Result{}, r.keepBound(ctx, &claim)
	}
	if claim.Spec.VolumeName != "" {
		return reconcile.Result{}, r.bindNamed(ctx, &claim)
	}
	return reconcile.Result{}, r.bindAny(ctx, &claim)
}

// bindNamed binds a claim to the volume that it names, if that is fit for it and free, or reserved for it.
func (r *controller) bindNamed(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	var v corev1.PersistentVolume
	err := r.client.Get(ctx, client.ObjectKey{Name: claim.Spec.VolumeName}, &v)
	switch {
	case apierrors.IsNotFound(err):
		return r.writeClaimStatus(ctx, claim, nil, corev1.ClaimPending)
	case err != nil:
		return err
	case volume.IsVolumeBoundToClaim(&v, claim):
		return r.bind(ctx, claim, &v)
	case v.Spec.ClaimRef != nil:
		r.recorder.Eventf(claim, nil, corev1.EventTypeWarning, "FailedBinding", "Bind", "volume %q already bound to a different claim.", v.Name)
		return r.writeClaimStatus(ctx, claim, nil, corev1.ClaimPending)
	}
	if unfit := matching.Unfit(claim, &v); unfit != nil {
		r.recorder.Eventf(claim, nil, corev1.EventTypeWarning, "VolumeMismatch", "Bind", "Cannot bind to requested volume %q: %s", v.Name, unfit)
		return r.writeClaimStatus(ctx, claim, nil, corev1.ClaimPending)
	}
	return r.bind(ctx, claim, &v)
}

// bindAny binds a claim to a volume that suits it, or has one made. What waits for its first consumer gets only what
// the scheduler has reserved for it, or had made.
func (r *controller) bindAny(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	class, err := r.classOf(ctx, claim)
	if err != nil {
		return err
	}
	lazy := class != nil && ptr.Deref(class.VolumeBindingMode, storagev1.VolumeBindingImmediate) == storagev1.VolumeBindingWaitForFirstConsumer
	volumes, err := r.candidates(ctx, claim)
	if err != nil {
		return err
	}
	chosen, err := matching.Bindable(claim, volumes, lazy)
	if err != nil {
		return fmt.Errorf("finding a volume for claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	if chosen != nil {
		return r.bind(ctx, claim, chosen)
	}
	if given, err := r.giveClass(ctx, claim); given || err != nil {
		return err // that wakes us
	}
	return errors.Join(r.ask(ctx, claim, class, lazy), r.writeClaimStatus(ctx, claim, nil, corev1.ClaimPending))
}

// giveClass gives a claim that says nothing of a class, and for which there is no volume, the default one: there was none when it was made.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retroactive-default-storageclass-assignment
func (r *controller) giveClass(ctx context.Context, claim *corev1.PersistentVolumeClaim) (given bool, err error) {
	if volume.PersistentVolumeClaimHasClass(claim) {
		return false, nil
	}
	var list storagev1.StorageClassList
	if err := r.client.List(ctx, &list); err != nil {
		return false, fmt.Errorf("listing storage classes: %w", err)
	}
	all := make([]*storagev1.StorageClass, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	class := api.DefaultClass(all)
	if class == nil {
		return false, nil
	}
	changed := claim.DeepCopy()
	changed.Spec.StorageClassName = &class.Name
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("giving claim %s the default class: %w", client.ObjectKeyFromObject(claim), err)
	}
	return true, nil
}

// classOf is the claim's class, nil if there is none.
func (r *controller) classOf(ctx context.Context, claim *corev1.PersistentVolumeClaim) (*storagev1.StorageClass, error) {
	name := volume.GetPersistentVolumeClaimClass(claim)
	if name == "" {
		return nil, nil
	}
	var class storagev1.StorageClass
	if err := r.client.Get(ctx, client.ObjectKey{Name: name}, &class); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return &class, nil
}

// ask says what a claim waits for for which there is no volume, and asks the class's provisioner for one when it is time.
func (r *controller) ask(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, lazy bool) error {
	name := volume.GetPersistentVolumeClaimClass(claim)
	switch {
	case name == "":
		r.recorder.Eventf(claim, nil, corev1.EventTypeNormal, "FailedBinding", "Bind",
			"no persistent volumes available for this claim and no storage class is set")
	case class == nil:
		r.recorder.Eventf(claim, nil, corev1.EventTypeWarning, "ProvisioningFailed", "Provision", "storageclass.storage.k8s.io %q not found", name)
	case lazy && matching.Selected(claim) == "":
		r.recorder.Eventf(claim, nil, corev1.EventTypeNormal, "WaitForFirstConsumer", "Bind",
			"waiting for first consumer to be created before binding")
	case class.Provisioner != volume.NotSupportedProvisioner:
		return r.askFor(ctx, claim, class.Provisioner)
	}
	return nil
}

// askFor leaves the claim to the class's provisioner.
func (r *controller) askFor(ctx context.Context, claim *corev1.PersistentVolumeClaim, provisioner string) error {
	r.recorder.Eventf(claim, nil, corev1.EventTypeNormal, "ExternalProvisioning", "Provision",
		"Waiting for a volume to be created either by the external provisioner '%s' or manually by the system administrator. "+
			"If volume creation is delayed, please verify that the provisioner is running and correctly registered.", provisioner)
	if claim.Annotations[volume.AnnStorageProvisioner] == provisioner {
		return nil
	}
	changed := claim.DeepCopy()
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, volume.AnnStorageProvisioner, provisioner)
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, betaProvisioner, provisioner)
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("leaving claim %s to %s: %w", client.ObjectKeyFromObject(claim), provisioner, err)
	}
	*claim = *changed
	return nil
}

// bind writes the volume first: whoever has it there owns it. Each step is repeated where it was interrupted.
func (r *controller) bind(ctx context.Context, claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) error {
	if v.Spec.ClaimRef == nil || v.Spec.ClaimRef.UID != claim.UID {
		reserved := v.Spec.ClaimRef != nil
		changed := v.DeepCopy()
		changed.Spec.ClaimRef = &corev1.ObjectReference{
			APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name,
			UID: claim.UID, ResourceVersion: claim.ResourceVersion,
		}
		if !reserved {
			metav1.SetMetaDataAnnotation(&changed.ObjectMeta, volume.AnnBoundByController, "yes")
		}
		if err := r.client.Update(ctx, changed); err != nil {
			return fmt.Errorf("binding volume %s to claim %s: %w", v.Name, client.ObjectKeyFromObject(claim), err)
		}
		v = changed
	}
	changed := claim.DeepCopy()
	if changed.Spec.VolumeName == "" {
		changed.Spec.VolumeName = v.Name
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, volume.AnnBoundByController, "yes")
	}
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, volume.AnnBindCompleted, "yes")
	if err := r.client.Update(ctx, changed); err != nil {
		return fmt.Errorf("binding claim %s to volume %s: %w", client.ObjectKeyFromObject(claim), v.Name, err)
	}
	return r.writeClaimStatus(ctx, changed, v, corev1.ClaimBound)
}

// keepBound watches over a claim that was bound once: it is never bound to another volume.
func (r *controller) keepBound(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	var v corev1.PersistentVolume
	err := r.client.Get(ctx, client.ObjectKey{Name: claim.Spec.VolumeName}, &v)
	switch {
	case apierrors.IsNotFound(err):
		return r.lose(ctx, claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
	case err != nil:
		return err
	case v.Spec.ClaimRef == nil || volume.IsVolumeBoundToClaim(&v, claim) && v.Spec.ClaimRef.UID == "":
		return r.bind(ctx, claim, &v)
	case !volume.IsVolumeBoundToClaim(&v, claim):
		return r.lose(ctx, claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
	}
	return r.writeClaimStatus(ctx, claim, &v, corev1.ClaimBound)
}

func (r *controller) lose(ctx context.Context, claim *corev1.PersistentVolumeClaim, reason, note string) error {
	if claim.Status.Phase == corev1.ClaimLost {
		return nil
	}
	r.recorder.Eventf(claim, nil, corev1.EventTypeWarning, reason, "Bind", "%s", note)
	return r.writeClaimStatus(ctx, claim, nil, corev1.ClaimLost)
}

func (r *controller) writeClaimStatus(ctx context.Context, claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume, phase corev1.PersistentVolumeClaimPhase) error {
	changed := claim.DeepCopy()
	changed.Status.Phase = phase
	switch {
	case v == nil:
		changed.Status.AccessModes, changed.Status.Capacity = nil, nil
	case claim.Status.Phase != corev1.ClaimBound:
		// Later, whoever expands the volume says how large it is.
		changed.Status.AccessModes = v.Spec.AccessModes
		changed.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: *v.Spec.Capacity.Storage()}
		changed.Status.CurrentVolumeAttributesClassName = v.Spec.VolumeAttributesClassName
	}
	if apiequality.Semantic.DeepEqual(changed.Status, claim.Status) {
		return nil
	}
	if err := r.client.Status().Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	return nil
}

// reconcileVolume keeps the volume's phase. A released volume stays for its provisioner or its administrator to deal with.
func (r *controller) reconcileVolume(ctx context.Context, name string) error {
	var v corev1.PersistentVolume
	if err := r.client.Get(ctx, client.ObjectKey{Name: name}, &v); err != nil {
		return client.IgnoreNotFound(err)
	}
	var claim *corev1.PersistentVolumeClaim
	if ref := v.Spec.ClaimRef; ref != nil {
		var found corev1.PersistentVolumeClaim
		err := r.client.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &found)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			claim = &found
		}
	}
	phase := phaseOf(&v, claim)
	if phase == v.Status.Phase {
		return nil
	}
	changed := v.DeepCopy()
	changed.Status.Phase, changed.Status.Message, changed.Status.Reason = phase, "", ""
	if err := r.client.Status().Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of volume %s: %w", name, err)
	}
	return nil
}
