// Package podcertificatecleaner deletes PodCertificateRequests a while after they were made: by then their node has the certificate, or
// has given up.
package podcertificatecleaner

import (
	"context"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "podcertificaterequestcleaner"

	keep = 15 * time.Minute

	workers = 1
)

type controller struct {
	client client.Client
	now    func() time.Time
}

// Register puts the controller on the manager. It wakes for new requests, and when they are old enough.
func Register(mgr manager.Manager, c client.Client) error {
	return loop.New(mgr, Name, workers).
		For(&certificatesv1.PodCertificateRequest{}).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*certificatesv1.PodCertificateRequest](c, &controller{client: c, now: time.Now})))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, request *certificatesv1.PodCertificateRequest) (reconcile.Result, error) {
	if request.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	if left := request.CreationTimestamp.Add(keep).Sub(r.now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	if err := r.client.Delete(ctx, request, client.Preconditions{UID: &request.UID}); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("deleting request %s for a certificate: %w", client.ObjectKeyFromObject(request), err)
	}
	return reconcile.Result{}, nil
}
