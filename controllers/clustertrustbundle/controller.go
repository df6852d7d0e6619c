// Package clustertrustbundle publishes what the API server is trusted by, as a ClusterTrustBundle: Pods have it projected, and others
// need not be Pods to read it.
package clustertrustbundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "kube-apiserver-serving-clustertrustbundle-publisher"

	signer = "kubernetes.io/kube-apiserver-serving"

	workers = 1
)

type controller struct {
	client client.Client
	wanted certificatesv1.ClusterTrustBundle
}

// Register puts the controller on the manager. It wakes once, and for bundles of its signer. rootCA is PEM, of one or more certificates;
// without any, there is nothing to publish.
func Register(mgr manager.Manager, c client.Client, rootCA []byte) error {
	if len(rootCA) == 0 {
		return nil
	}
	r := &controller{client: c, wanted: bundle(rootCA)}
	published := loop.Where(func(b *certificatesv1.ClusterTrustBundle) bool { return b.Spec.SignerName == signer })
	return loop.New(mgr, Name, workers).
		For(&certificatesv1.ClusterTrustBundle{}, loop.Only(published)).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue.Add(loop.Request("", r.wanted.Name))
			return nil
		})).
		Complete(loop.Contained(Name, r))
}

// bundle is named by what is in it: who reads it sees all of the old one or all of the new one.
func bundle(rootCA []byte) certificatesv1.ClusterTrustBundle {
	sum := sha256.Sum256(rootCA)
	return certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s:%x", strings.ReplaceAll(signer, "/", ":"), sum[:12])},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: string(rootCA)},
	}
}

// Reconcile implements reconcile.Reconciler. Others' bundles of the signer go when its own is there.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request.Name == r.wanted.Name {
		return reconcile.Result{}, r.publish(ctx)
	}
	var other certificatesv1.ClusterTrustBundle
	err := r.client.Get(ctx, request.NamespacedName, &other)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, nil
	}
	if err = errors.Join(err, r.publish(ctx)); err == nil {
		err = client.IgnoreNotFound(r.client.Delete(ctx, &other))
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("removing trust bundle %s: %w", request.Name, err)
	}
	return reconcile.Result{}, nil
}

func (r *controller) publish(ctx context.Context) error {
	var existing certificatesv1.ClusterTrustBundle
	err := r.client.Get(ctx, client.ObjectKeyFromObject(&r.wanted), &existing)
	switch {
	case apierrors.IsNotFound(err):
		err = r.client.Create(ctx, r.wanted.DeepCopy())
	case err != nil || existing.Spec.TrustBundle == r.wanted.Spec.TrustBundle:
	default:
		existing.Spec.TrustBundle = r.wanted.Spec.TrustBundle
		err = r.client.Update(ctx, &existing)
	}
	if err != nil {
		return fmt.Errorf("publishing trust bundle %s: %w", r.wanted.Name, err)
	}
	return nil
}
