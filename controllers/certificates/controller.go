// Package certificates approves, signs and clears away CertificateSigningRequests.
//
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "certificate-controller"

	workers    = 5
	firstRetry = 200 * time.Millisecond
	lastRetry  = 1000 * time.Second
)

type request = certificatesv1.CertificateSigningRequest

type controller struct {
	client client.Client
	// reviews asks what users may do. Such questions are not kept, so no cache will ever show them.
	reviews client.Writer
	ca      *authority
	now     func() time.Time
}

// Register puts the controller on the manager. It wakes for CertificateSigningRequests, and when one is to be cleared
// away. Without a CA, whose certificate and key are PEM, nothing is signed. lifetime is the longest that a certificate
// is valid; zero means a year. reviews writes SubjectAccessReviews.
func Register(mgr manager.Manager, c client.Client, reviews client.Writer, caCert, caKey []byte, lifetime time.Duration) error {
	r := &controller{client: c, reviews: reviews, now: time.Now}
	if len(caKey) > 0 {
		ca, err := newAuthority(caCert, caKey, lifetime)
		if err != nil {
			return err
		}
		r.ca = ca
	}
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&request{}).
		Complete(reconcile.AsReconciler[*request](c, r))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, csr *request) (reconcile.Result, error) {
	now := r.now()
	if until, known := expiry(csr); known && !until.After(now) {
		return reconcile.Result{}, client.IgnoreNotFound(r.client.Delete(ctx, csr))
	}
	for _, phase := range []func(context.Context, *request) (done bool, err error){r.approve, r.sign} {
		if done, err := phase(ctx, csr.DeepCopy()); done || err != nil {
			return reconcile.Result{}, err
		}
	}
	if until, known := expiry(csr); known {
		return reconcile.Result{RequeueAfter: until.Sub(now)}, nil
	}
	return reconcile.Result{}, nil
}

func condition(csr *request, kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	for i := range csr.Status.Conditions {
		c := &csr.Status.Conditions[i]
		// An empty status is that of conditions from before it existed, which meant true.
		if c.Type == kind && (c.Status == corev1.ConditionTrue || c.Status == "") {
			return c
		}
	}
	return nil
}

func parse(csr *request) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(csr.Spec.Request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, reconcile.TerminalError(fmt.Errorf("parsing request %s: %w", csr.Name, errors.New("PEM block type must be CERTIFICATE REQUEST")))
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, reconcile.TerminalError(fmt.Errorf("parsing request %s: %w", csr.Name, err))
	}
	return parsed, nil
}
