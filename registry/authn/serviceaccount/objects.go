package serviceaccount

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
)

// Objects reads what tokens refer to. The objects are read only; errors are those of the API.
type Objects interface {
	ServiceAccount(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, error)
	Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	Node(ctx context.Context, name string) (*corev1.Node, error)
}

// Live reads objects from the API server.
func Live(client kubernetes.Interface) Objects { return live{client} }

type live struct{ client kubernetes.Interface }

func (l live) ServiceAccount(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, error) {
	return l.client.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (l live) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	return l.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (l live) Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return l.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (l live) Node(ctx context.Context, name string) (*corev1.Node, error) {
	return l.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
}

// Cached reads objects from informers, which it adds to the factory, and asks otherwise for what these do not have: they
// may be behind.
func Cached(factory informers.SharedInformerFactory, otherwise Objects) Objects {
	core := factory.Core().V1()
	return cached{
		accounts: core.ServiceAccounts().Lister(), pods: core.Pods().Lister(),
		secrets: core.Secrets().Lister(), nodes: core.Nodes().Lister(), otherwise: otherwise,
	}
}

type cached struct {
	accounts  listers.ServiceAccountLister
	pods      listers.PodLister
	secrets   listers.SecretLister
	nodes     listers.NodeLister
	otherwise Objects
}

func (c cached) ServiceAccount(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, error) {
	found, err := c.accounts.ServiceAccounts(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return c.otherwise.ServiceAccount(ctx, namespace, name)
	}
	return found, err
}

func (c cached) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	found, err := c.pods.Pods(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return c.otherwise.Pod(ctx, namespace, name)
	}
	return found, err
}

func (c cached) Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	found, err := c.secrets.Secrets(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return c.otherwise.Secret(ctx, namespace, name)
	}
	return found, err
}

func (c cached) Node(ctx context.Context, name string) (*corev1.Node, error) {
	found, err := c.nodes.Get(name)
	if apierrors.IsNotFound(err) {
		return c.otherwise.Node(ctx, name)
	}
	return found, err
}
