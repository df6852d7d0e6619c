// Package rootcacertpublisher keeps the cluster's CA certificate in a ConfigMap of every namespace, for Pods.
package rootcacertpublisher

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "root-ca-cert-publisher"

	configMap             = "kube-root-ca.crt"
	dataKey               = "ca.crt"
	descriptionAnnotation = "kubernetes.io/description"
	description           = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the " +
		"internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."

	workers = 1
)

type controller struct {
	client client.Client
	data   map[string]string
}

// Register puts the controller on the manager. It wakes for active namespaces, and for changes of its ConfigMaps.
// rootCA is PEM, of one or more certificates.
func Register(mgr manager.Manager, c client.Client, rootCA []byte) error {
	r := &controller{client: c, data: map[string]string{dataKey: string(rootCA)}}
	published := loop.Where(func(m *corev1.ConfigMap) bool { return m.Name == configMap })
	return loop.New(mgr, Name, workers).
		For(&corev1.Namespace{}).
		Watches(&corev1.ConfigMap{}, loop.Namespaces(), loop.Only(published)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.Namespace](c, r)))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, namespace *corev1.Namespace) (reconcile.Result, error) {
	if namespace.Status.Phase == corev1.NamespaceTerminating {
		return reconcile.Result{}, nil
	}
	var existing corev1.ConfigMap
	err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: configMap}, &existing)
	switch {
	case apierrors.IsNotFound(err):
		err = r.client.Create(ctx, r.wanted(namespace.Name))
	case err != nil:
	case maps.Equal(existing.Data, r.data) && existing.Annotations[descriptionAnnotation] != "":
	default:
		changed := existing.DeepCopy()
		changed.Data = r.data
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, descriptionAnnotation, description)
		err = r.client.Update(ctx, changed)
	}
	if err == nil || loop.NamespaceGone(err) {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, fmt.Errorf("publishing the CA certificate in namespace %s: %w", namespace.Name, err)
}

func (r *controller) wanted(namespace string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: configMap,
			Annotations: map[string]string{descriptionAnnotation: description},
		},
		Data: r.data,
	}
}
