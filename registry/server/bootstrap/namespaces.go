package bootstrap

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func systemNamespaces() []string {
	return []string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease, metav1.NamespaceDefault}
}

func ensureNamespaces(ctx context.Context, c Config) error {
	var errs []error
	for _, name := range systemNamespaces() {
		errs = append(errs, keep(ctx, c.Client.CoreV1().Namespaces(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil))
	}
	return errors.Join(errs...)
}
