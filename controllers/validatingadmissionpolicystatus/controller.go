// Package validatingadmissionpolicystatus checks the types in ValidatingAdmissionPolicies' expressions, and tells what is wrong.
package validatingadmissionpolicystatus

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	apply "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "validatingadmissionpolicy-status-controller"

	// fieldManager is who the fields of the status belong to.
	fieldManager = "validatingadmissionpolicy-status"
	workers      = 5
)

type controller struct {
	writer kubernetes.Interface
	check  func(*admissionregistrationv1.ValidatingAdmissionPolicy) []admissionregistrationv1.ExpressionWarning
}

// Register puts the controller on the manager. It wakes for policies whose specification has changed; that of the types that
// they are about wakes nobody. schemas describes what is served; writer writes the status.
//
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#type-checking
func Register(mgr manager.Manager, c client.Client, writer kubernetes.Interface, schemas discovery.DiscoveryInterface) error {
	checker := &validating.TypeChecker{
		SchemaResolver: &resolver.ClientDiscoveryResolver{Discovery: schemas}, RestMapper: mgr.GetRESTMapper(),
	}
	r := &controller{writer: writer, check: checker.Check}
	return loop.New(mgr, Name, workers).
		For(&admissionregistrationv1.ValidatingAdmissionPolicy{}).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*admissionregistrationv1.ValidatingAdmissionPolicy](c, r)))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, policy *admissionregistrationv1.ValidatingAdmissionPolicy) (reconcile.Result, error) {
	if policy.Generation <= policy.Status.ObservedGeneration {
		return reconcile.Result{}, nil
	}
	status := status(policy.Generation, r.check(policy))
	_, err := r.writer.AdmissionregistrationV1().ValidatingAdmissionPolicies().ApplyStatus(ctx,
		apply.ValidatingAdmissionPolicy(policy.Name).WithStatus(status), metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("writing the status of policy %s: %w", policy.Name, err)
	}
	return reconcile.Result{}, nil
}

// status says what was found at a generation. Having found nothing is told too.
func status(generation int64, warnings []admissionregistrationv1.ExpressionWarning) *apply.ValidatingAdmissionPolicyStatusApplyConfiguration {
	found := apply.TypeChecking()
	for _, w := range warnings {
		found.WithExpressionWarnings(apply.ExpressionWarning().WithFieldRef(w.FieldRef).WithWarning(w.Warning))
	}
	return apply.ValidatingAdmissionPolicyStatus().WithObservedGeneration(generation).WithTypeChecking(found)
}
