package core

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// enforceMountable is the deprecated annotation by which an account lets its pods use only the secrets that it lists.
const enforceMountable = "kubernetes.io/enforce-mountable-secrets"

// TrimSecretReferences leaves only names: the secrets are those of the account's namespace.
func TrimSecretReferences(a *corev1.ServiceAccount) {
	for i := range a.Secrets {
		a.Secrets[i] = corev1.ObjectReference{Name: a.Secrets[i].Name}
	}
}

// ServiceAccountWarnings warns whoever sets a deprecated annotation; old is nil on create.
func ServiceAccountWarnings(a, old *corev1.ServiceAccount) []string {
	if old != nil {
		if _, had := old.Annotations[enforceMountable]; had {
			return nil
		}
	}
	if _, set := a.Annotations[enforceMountable]; !set {
		return nil
	}
	return []string{fmt.Sprintf("metadata.annotations[%s]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets", enforceMountable)}
}
