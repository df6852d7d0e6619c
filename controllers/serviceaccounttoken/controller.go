// Package serviceaccounttoken fills Secrets that are made to hold a token of a ServiceAccount, and deletes them with it.
package serviceaccounttoken

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's.
	Name = "serviceaccount-token-controller"

	workers = 5
)

// Issue makes the token of an account that is to be kept in the Secret. Both are read only.
type Issue func(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error)

type controller struct {
	client client.Client
	issue  Issue
	rootCA []byte
}

// Register puts the controller on the manager. It wakes for Secrets of tokens, and for accounts that go. c must read
// unstructured objects from the server; rootCA is PEM.
//
// https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
func Register(mgr manager.Manager, c client.Client, issue Issue, rootCA []byte) error {
	r := &controller{client: c, issue: issue, rootCA: rootCA}
	return loop.New(mgr, Name, workers).
		For(&corev1.Secret{}, loop.Only(loop.Where(isToken))).
		Watches(&corev1.Secret{}, loop.ToRequests(r.mentionOf), loop.Only(loop.Where(isToken), loop.Deletions())).
		Watches(&corev1.ServiceAccount{}, loop.ToRequests(r.secretsOf), loop.Only(gone())).
		Complete(loop.Contained(Name, r))
}

func isToken(secret *corev1.Secret) bool { return secret.Type == corev1.SecretTypeServiceAccountToken }

// gone lets pass what may end an account: its deletion, seen as an update if another one of its name followed at once.
func gone() predicate.Predicate {
	return predicate.And(
		predicate.Funcs{CreateFunc: func(event.CreateEvent) bool { return false }},
		loop.Changed(func(old, now *corev1.ServiceAccount) bool { return old.UID != now.UID }),
	)
}

func (r *controller) secretsOf(ctx context.Context, account client.Object) []reconcile.Request {
	var secrets corev1.SecretList
	if err := r.client.List(ctx, &secrets, client.InNamespace(account.GetNamespace())); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		if isToken(secret) && secret.Annotations[corev1.ServiceAccountNameKey] == account.GetName() {
			requests = append(requests, loop.Request(secret.Namespace, secret.Name))
		}
	}
	return requests
}

// mentionOf asks for a deleted Secret to be taken off its account's list: only here it is known whose it was.
func (r *controller) mentionOf(_ context.Context, secret client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: mentionIn(secret)}}
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if account, secret, ok := mention(request.NamespacedName); ok {
		return reconcile.Result{}, r.unmention(ctx, account, secret)
	}
	var secret corev1.Secret
	if err := r.client.Get(ctx, request.NamespacedName, &secret); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !isToken(&secret) || secret.DeletionTimestamp != nil || secret.Annotations[corev1.ServiceAccountNameKey] == "" {
		return reconcile.Result{}, nil
	}
	account, err := r.accountOf(ctx, &secret)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading the account of token secret %s: %w", request, err)
	}
	if account == nil {
		return reconcile.Result{}, r.remove(ctx, &secret)
	}
	filled, err := fill(&secret, account, r.issue, r.rootCA)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("issuing the token of secret %s: %w", request, err)
	}
	if filled == nil {
		return reconcile.Result{}, nil
	}
	// After a conflict there is an event to come, which is judged anew.
	if err := r.client.Update(ctx, filled); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return reconcile.Result{}, fmt.Errorf("filling token secret %s: %w", request, err)
	}
	return reconcile.Result{}, nil
}

// accountOf is nil if there is no such account, by the server's word: a Secret may be seen here before its account is.
func (r *controller) accountOf(ctx context.Context, secret *corev1.Secret) (*corev1.ServiceAccount, error) {
	var account corev1.ServiceAccount
	key := client.ObjectKey{Namespace: secret.Namespace, Name: secret.Annotations[corev1.ServiceAccountNameKey]}
	err := r.client.Get(ctx, key, &account)
	if err == nil && isMeant(secret, &account) {
		return &account, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	current := &unstructured.Unstructured{}
	current.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	if err := r.client.Get(ctx, key, current); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	account = corev1.ServiceAccount{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(current.Object, &account); err != nil {
		return nil, err
	}
	if !isMeant(secret, &account) {
		return nil, nil
	}
	return &account, nil
}

func (r *controller) remove(ctx context.Context, secret *corev1.Secret) error {
	err := r.client.Delete(ctx, secret, client.Preconditions{UID: &secret.UID})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("deleting token secret %s: %w", client.ObjectKeyFromObject(secret), err)
}

// unmention takes a Secret that was deleted off its account's list, unless there is one of the name again.
func (r *controller) unmention(ctx context.Context, account client.ObjectKey, secret string) error {
	var found corev1.Secret
	err := r.client.Get(ctx, client.ObjectKey{Namespace: account.Namespace, Name: secret}, &found)
	if err == nil || !apierrors.IsNotFound(err) {
		return err
	}
	var owner corev1.ServiceAccount
	if err := r.client.Get(ctx, account, &owner); err != nil {
		return client.IgnoreNotFound(err)
	}
	shorter := without(&owner, secret)
	if shorter == nil {
		return nil
	}
	if err := r.client.Update(ctx, shorter); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("taking secret %s off account %s: %w", secret, account, err)
	}
	return nil
}
