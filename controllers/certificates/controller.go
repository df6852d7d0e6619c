// Package certificates approves, signs and clears away CertificateSigningRequests.
//
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
package certificates

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
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
	places  places
	joining joining
	doubts  doubts
	now     func() time.Time
}

// Config is what the controller needs besides clients.
type Config struct {
	// CACert and CAKey are PEM. Without a CA nothing is signed.
	CACert, CAKey []byte
	// Lifetime is the longest that a certificate is valid; zero means a year.
	Lifetime time.Duration
	// Reserved are names and addresses, the API server's own, that no node gets a certificate for without somebody's approval.
	// Those of all servers are in bootstrap.ServersName besides.
	Reserved []string
	// ClusterDomain ends the names of Services, which are no node's either.
	ClusterDomain string
}

// Register puts the controller on the manager. It wakes for CertificateSigningRequests, when one is to be cleared away, and
// when Nodes come or their addresses change. reviews writes SubjectAccessReviews.
func Register(mgr manager.Manager, c client.Client, reviews client.Writer, recorder events.EventRecorder, config Config) error {
	r := &controller{
		client: c, reviews: reviews, places: places{reserved: config.Reserved, domain: config.ClusterDomain}, doubts: doubts{recorder: recorder}, now: time.Now,
	}
	if len(config.CAKey) > 0 {
		ca, err := newAuthority(config.CACert, config.CAKey, config.Lifetime)
		if err != nil {
			return err
		}
		r.ca = ca
	}
	moved := loop.Changed(func(old, now *corev1.Node) bool {
		return !apiequality.Semantic.DeepEqual(old.Status.Addresses, now.Status.Addresses)
	})
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&request{}).
		Watches(&corev1.Node{}, loop.ToRequests(r.nodeChanged), loop.Only(moved)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*request](c, r)))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, csr *request) (reconcile.Result, error) {
	now := r.now()
	if until, known := expiry(csr); known && !until.After(now) {
		return reconcile.Result{}, client.IgnoreNotFound(r.client.Delete(ctx, csr))
	}
	var again time.Duration
	for _, phase := range []func(context.Context, *request) (verdict, error){r.approve, r.sign} {
		v, err := phase(ctx, csr.DeepCopy())
		if v.done || err != nil {
			return reconcile.Result{}, err
		}
		again = cmp.Or(again, v.again)
	}
	if until, known := expiry(csr); known && (again == 0 || until.Sub(now) < again) {
		again = until.Sub(now)
	}
	return reconcile.Result{RequeueAfter: again}, nil
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
