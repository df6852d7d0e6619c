package core

import (
	"context"
	stderrors "errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/util/dryrun"
	policyclient "k8s.io/client-go/kubernetes/typed/policy/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/component-helpers/apps/poddisruptionbudget"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

// evictions delete pods, if the pods' disruption budgets allow.
// https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
type evictions struct {
	budgets policyclient.PodDisruptionBudgetsGetter
}

// maxDisrupted is how many evictions the budget's controller may be behind.
const maxDisrupted = 2000

// untilConflictsEnd is how often a write is tried again after another writer was faster.
var untilConflictsEnd = wait.Backoff{Steps: 20, Duration: 500 * time.Millisecond, Factor: 1, Jitter: 0.1}

func checkEviction(_ context.Context, _ *resource.Resource[*pod], name string, e *policyv1.Eviction) error {
	if e.Name != name {
		return errors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	if o := e.DeleteOptions; o != nil && o.IgnoreStoreReadErrorWithClusterBreakingPotential != nil && *o.IgnoreStoreReadErrorWithClusterBreakingPotential {
		return errors.NewInvalid(policyv1.SchemeGroupVersion.WithKind("Eviction").GroupKind(), name, field.ErrorList{field.Invalid(
			field.NewPath("deleteOptions", "ignoreStoreReadErrorWithClusterBreakingPotential"), true, "can not be set for pod eviction, try after removing the option")})
	}
	return nil
}

func (e *evictions) evict(ctx context.Context, pods *resource.Resource[*pod], name string, in *policyv1.Eviction, create *metav1.CreateOptions) (runtime.Object, error) {
	options, err := deleteOptions(in, create)
	if err != nil {
		return nil, err
	}
	p, err := e.deleteUnguarded(ctx, pods, name, options)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return &metav1.Status{Status: metav1.StatusSuccess}, nil
	}
	budget, err := e.budgetOf(ctx, p)
	if err != nil {
		return nil, err
	}
	pinned := false
	if budget != nil {
		if pinned = mayGoUnhealthy(p, budget); !pinned {
			err = e.charge(ctx, p, budget, dryrun.IsDryRun(options.DryRun))
		}
		if err != nil {
			return nil, err
		}
	}
	final := options
	if pinned { // it must not have become healthy meanwhile
		final = atVersion(options, p.ResourceVersion)
	}
	if err := remove(ctx, pods, name, final); err != nil {
		if pinned && errors.IsConflict(err) && !hasVersion(options) {
			return nil, tooManyRequests(budget.Name)
		}
		return nil, err
	}
	return &metav1.Status{Status: metav1.StatusSuccess}, nil
}

// deleteOptions are those in the eviction, or new ones, with the request's dry-run.
func deleteOptions(in *policyv1.Eviction, create *metav1.CreateOptions) (*metav1.DeleteOptions, error) {
	options := in.DeleteOptions
	switch {
	case options == nil:
		options = &metav1.DeleteOptions{DryRun: create.DryRun}
	case len(options.DryRun) == 0:
		options.DryRun = create.DryRun
	case len(create.DryRun) > 0 && !slices.Equal(create.DryRun, options.DryRun):
		return nil, fmt.Errorf("Non-matching dry-run options in request and content: %v and %v", create.DryRun, options.DryRun)
	}
	return options, nil
}

// deleteUnguarded deletes a pod that no budget protects: it has ended, has not started or is going already. It returns any
// other pod.
func (e *evictions) deleteUnguarded(ctx context.Context, pods *resource.Resource[*pod], name string, options *metav1.DeleteOptions) (guarded *pod, err error) {
	mayRetry := func(err error) bool { return errors.IsConflict(err) && !hasVersion(options) }
	err = retry.OnError(untilConflictsEnd, mayRetry, func() error {
		p, err := pods.Get(ctx, name)
		if err != nil {
			return err
		}
		final := options
		switch ended := core.PodTerminal(p) || p.DeletionTimestamp != nil; {
		case !ended && p.Status.Phase != corev1.PodPending:
			guarded = p
			return nil
		case !ended && !hasVersion(options): // it must not start meanwhile
			final = atVersion(options, p.ResourceVersion)
		}
		return remove(ctx, pods, name, final)
	})
	return guarded, err
}

func hasVersion(o *metav1.DeleteOptions) bool {
	return o.Preconditions != nil && o.Preconditions.ResourceVersion != nil
}

func atVersion(o *metav1.DeleteOptions, version string) *metav1.DeleteOptions {
	o = o.DeepCopy()
	if o.Preconditions == nil {
		o.Preconditions = &metav1.Preconditions{}
	}
	o.Preconditions.ResourceVersion = &version
	return o
}

// remove says on the pod why it goes, and deletes it.
func remove(ctx context.Context, pods *resource.Resource[*pod], name string, options *metav1.DeleteOptions) error {
	if !dryrun.IsDryRun(options.DryRun) {
		p, err := pods.Modify(ctx, name, false, func(p *pod) error {
			if err := holds(options.Preconditions, p); err != nil {
				return errors.NewConflict(corev1.Resource("Pod"), name, err)
			}
			core.SetPodCondition(&p.Status, corev1.PodCondition{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting",
			}, metav1.Now())
			return nil
		})
		if err != nil {
			return err
		}
		if hasVersion(options) {
			options = atVersion(options, p.ResourceVersion)
		}
	}
	return pods.Delete(ctx, name, options)
}

func holds(c *metav1.Preconditions, p *pod) error {
	switch {
	case c == nil:
		return nil
	case c.UID != nil && *c.UID != "" && *c.UID != p.UID:
		return fmt.Errorf("the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", *c.UID, p.UID)
	case c.ResourceVersion != nil && *c.ResourceVersion != "" && *c.ResourceVersion != p.ResourceVersion:
		return fmt.Errorf("the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The object might have been modified", *c.ResourceVersion, p.ResourceVersion)
	}
	return nil
}

// budgetOf finds the pod's budget, nil if it has none.
func (e *evictions) budgetOf(ctx context.Context, p *pod) (*policyv1.PodDisruptionBudget, error) {
	if e.budgets == nil {
		return nil, nil
	}
	all, err := e.budgets.PodDisruptionBudgets(p.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var found *policyv1.PodDisruptionBudget
	for i := range all.Items {
		selector, err := metav1.LabelSelectorAsSelector(all.Items[i].Spec.Selector)
		if err != nil || !selector.Matches(labels.Set(p.Labels)) {
			continue
		}
		if found != nil {
			return nil, &errors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 500,
				Message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."}}
		}
		found = &all.Items[i]
	}
	return found, nil
}

// mayGoUnhealthy reports whether the pod is not ready and its budget does not protect such pods.
func mayGoUnhealthy(p *pod, b *policyv1.PodDisruptionBudget) bool {
	if core.PodReady(p) {
		return false
	}
	if policy := b.Spec.UnhealthyPodEvictionPolicy; policy != nil && *policy == policyv1.AlwaysAllow {
		return true
	}
	return b.Status.CurrentHealthy >= b.Status.DesiredHealthy && b.Status.DesiredHealthy > 0
}

// charge takes one disruption from the budget.
func (e *evictions) charge(ctx context.Context, p *pod, b *policyv1.PodDisruptionBudget, dryRun bool) error {
	budgets, name, refresh := e.budgets.PodDisruptionBudgets(p.Namespace), b.Name, false
	err := retry.RetryOnConflict(untilConflictsEnd, func() (err error) {
		if refresh {
			if b, err = budgets.Get(ctx, name, metav1.GetOptions{}); err != nil {
				return err
			}
		}
		refresh = true
		if err := disrupt(b, p.Name, metav1.Now()); err != nil || dryRun {
			return err
		}
		_, err = budgets.UpdateStatus(ctx, b, metav1.UpdateOptions{})
		return err
	})
	if errors.IsConflict(err) {
		return errors.NewTimeoutError(fmt.Sprintf("couldn't update PodDisruptionBudget %q due to conflicts", name), 10)
	}
	return err
}

// disrupt notes one more disruption in the budget, or says why there may be none.
func disrupt(b *policyv1.PodDisruptionBudget, podName string, now metav1.Time) error {
	s := &b.Status
	switch {
	case s.ObservedGeneration < b.Generation:
		return tooManyRequests(b.Name)
	case s.DisruptionsAllowed < 0:
		return forbidden(b.Name, "pdb disruptions allowed is negative", "pdb disruptions allowed is negative")
	case len(s.DisruptedPods) > maxDisrupted:
		return forbidden(b.Name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller", "too many pending evictions not confirmed by PDB controller")
	case s.DisruptionsAllowed == 0:
		return refusal(0, refusalReason(b))
	}
	if s.DisruptionsAllowed--; s.DisruptionsAllowed == 0 {
		poddisruptionbudget.UpdateDisruptionAllowedCondition(b)
	}
	if s.DisruptedPods == nil {
		s.DisruptedPods = map[string]metav1.Time{}
	}
	s.DisruptedPods[podName] = now
	return nil
}

func refusalReason(b *policyv1.PodDisruptionBudget) string {
	s, c := &b.Status, meta.FindStatusCondition(b.Status.Conditions, policyv1.DisruptionAllowedCondition)
	told := c != nil && c.Status == metav1.ConditionFalse && c.Message != ""
	switch {
	case told && c.Reason == policyv1.SyncFailedReason:
		return fmt.Sprintf("The disruption budget %s does not allow evicting pods currently because it failed sync: %s", b.Name, c.Message)
	case s.CurrentHealthy <= s.DesiredHealthy:
		return fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", b.Name, s.DesiredHealthy, s.CurrentHealthy)
	case told:
		return fmt.Sprintf("The disruption budget %s does not allow evicting pods currently (%s): %s", b.Name, c.Reason, c.Message)
	}
	return fmt.Sprintf("The disruption budget %s does not allow evicting pods currently", b.Name)
}

// forbidden is the refusal of a budget that is out of order.
func forbidden(name, why, cause string) error {
	err := errors.NewForbidden(policyv1.Resource("poddisruptionbudget"), name, stderrors.New(why))
	cause = fmt.Sprintf("The disruption budget %s does not allow evicting pods currently: %s", name, cause)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: cause})
	return err
}

func tooManyRequests(name string) error {
	return refusal(10, fmt.Sprintf("The disruption budget %s is still being processed by the server.", name))
}

func refusal(retryAfterSeconds int, cause string) error {
	err := errors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: cause})
	return err
}
