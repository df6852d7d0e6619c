// Package serviceaccount gives Pods a service account, its token and what else the account brings.
// See https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#serviceaccount-admission-controller.
package serviceaccount

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/storage/names"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// enforceMountable on a service account lets its Pods use no other Secrets than those it lists.
const enforceMountable = "kubernetes.io/enforce-mountable-secrets"

type serviceAccount struct {
	accounts listers.ServiceAccountLister
	wait     waiter
	client   kubernetes.Interface
}

// New makes the plugin. The default account of a new namespace is waited for, as it is made by a controller.
func New(factory informers.SharedInformerFactory, client kubernetes.Interface) (admission.Interface, error) {
	accounts := factory.Core().V1().ServiceAccounts()
	s := &serviceAccount{accounts: accounts.Lister(), client: client}
	if _, err := accounts.Informer().AddEventHandler(&s.wait); err != nil {
		return nil, fmt.Errorf("watching service accounts: %w", err)
	}
	synced := []cache.InformerSynced{accounts.Informer().HasSynced}
	return plugin.Both(
		plugin.Mutating(plugin.On{Operations: []admission.Operation{admission.Create}, Resources: []string{"pods"}, Synced: synced}, s.admit),
		plugin.Validating(plugin.On{
			Operations: []admission.Operation{admission.Create, admission.Update}, Resources: []string{"pods", "pods/ephemeralcontainers"}, Synced: synced,
		}, s.validate),
	), nil
}

func (s *serviceAccount) admit(ctx context.Context, a admission.Attributes) error {
	pod, err := plugin.Object[*corev1.Pod](a)
	if err != nil || core.IsMirror(pod) {
		return err
	}
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	account, err := s.account(ctx, a, pod)
	if err != nil {
		return err
	}
	if automounts(account, pod) {
		mountToken(pod, names.SimpleNameGenerator.GenerateName)
	}
	if len(pod.Spec.ImagePullSecrets) == 0 {
		for _, ref := range account.ImagePullSecrets {
			pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: ref.Name})
		}
	}
	return nil
}

func (s *serviceAccount) validate(ctx context.Context, a admission.Attributes) error {
	ephemeral := a.GetSubresource() == "ephemeralcontainers"
	if (a.GetOperation() == admission.Update) != ephemeral {
		return nil
	}
	pod, err := plugin.Object[*corev1.Pod](a)
	if err != nil {
		return err
	}
	if core.IsMirror(pod) && !ephemeral {
		return forbidden(a, checkMirror(pod))
	}
	if pod.Spec.ServiceAccountName == "" {
		return admission.NewForbidden(a, fmt.Errorf("no service account specified for pod %s/%s", a.GetNamespace(), pod.Name))
	}
	account, err := s.account(ctx, a, pod)
	if err != nil {
		return err
	}
	if enforced, _ := strconv.ParseBool(account.Annotations[enforceMountable]); !enforced {
		return nil
	}
	return forbidden(a, checkSecrets(account, pod, ephemeral))
}

// account finds a Pod's account: among those known, or else by asking; the default one may still be coming.
func (s *serviceAccount) account(ctx context.Context, a admission.Attributes, pod *corev1.Pod) (*corev1.ServiceAccount, error) {
	namespace, name := a.GetNamespace(), pod.Spec.ServiceAccountName
	account, err := s.accounts.ServiceAccounts(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		account, err = s.client.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) && name == "default" {
		account, err = s.wait.forAccount(ctx, namespace, name, s.accounts)
	}
	if apierrors.IsNotFound(err) {
		err = apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccount"}, name) // in the singular, as upstream
	}
	if err != nil {
		return nil, admission.NewForbidden(a, fmt.Errorf("error looking up service account %s/%s: %w", namespace, name, err))
	}
	return account, nil
}

// checkMirror keeps a Pod that a node made itself from anything secret.
func checkMirror(pod *corev1.Pod) error {
	if pod.Spec.ServiceAccountName != "" {
		return errors.New("a mirror pod may not reference service accounts")
	}
	for range core.SecretNames(pod) {
		return errors.New("a mirror pod may not reference secrets")
	}
	for _, v := range pod.Spec.Volumes {
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			if source.ServiceAccountToken != nil {
				return errors.New("a mirror pod may not use ServiceAccountToken volume projections")
			}
		}
	}
	return nil
}

func automounts(account *corev1.ServiceAccount, pod *corev1.Pod) bool {
	for _, wish := range []*bool{pod.Spec.AutomountServiceAccountToken, account.AutomountServiceAccountToken} {
		if wish != nil {
			return *wish
		}
	}
	return true
}

func forbidden(a admission.Attributes, err error) error {
	if err == nil {
		return nil
	}
	return admission.NewForbidden(a, err)
}
