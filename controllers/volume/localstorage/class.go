package localstorage

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/coracle-k8s/coracle/apis/volume"
)

// decided, an annotation of the namespace kube-system, says that the cluster got its class, or that it needed none: what becomes of the
// class after that is its users' business, across restarts and upgrades.
const decided = "coracle.io/local-storage-class"

func undecided(n *corev1.Namespace) bool {
	_, is := n.Annotations[decided]
	return n.Name == metav1.NamespaceSystem && !is
}

// defaultClass is what a cluster begins with.
func defaultClass() *storagev1.StorageClass {
	return &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: api.LocalClass, Annotations: map[string]string{api.DefaultClassAnnotation: "true"}},
		Provisioner:       api.LocalProvisioner,
		ReclaimPolicy:     ptr.To(corev1.PersistentVolumeReclaimDelete),
		VolumeBindingMode: ptr.To(storagev1.VolumeBindingWaitForFirstConsumer), AllowVolumeExpansion: ptr.To(true),
	}
}

// wanted tells whether a cluster with these classes gets another default one.
func wanted(classes []storagev1.StorageClass) bool {
	for i := range classes {
		if api.IsDefaultClass(&classes[i]) || classes[i].Name == api.LocalClass {
			return false
		}
	}
	return true
}

// decideClass makes the class once. The class comes first: who ends in between finds it when it comes again.
func (r *controller) decideClass(ctx context.Context) error {
	var system corev1.Namespace
	if err := r.client.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &system); err != nil || !undecided(&system) {
		return client.IgnoreNotFound(err)
	}
	var classes storagev1.StorageClassList
	if err := r.client.List(ctx, &classes); err != nil {
		return fmt.Errorf("listing storage classes: %w", err)
	}
	if wanted(classes.Items) {
		if err := r.client.Create(ctx, defaultClass()); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making the default storage class: %w", err)
		}
	}
	changed := system.DeepCopy()
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, decided, "decided")
	if err := r.client.Update(ctx, changed); err != nil {
		return fmt.Errorf("noting that the default storage class is made: %w", err)
	}
	return nil
}
