package serviceaccounttoken

import (
	"bytes"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// isMeant: a Secret that names a UID is that account's, not a later one's of the same name.
func isMeant(secret *corev1.Secret, account *corev1.ServiceAccount) bool {
	uid := secret.Annotations[corev1.ServiceAccountUIDKey]
	return uid == "" || types.UID(uid) == account.UID
}

// mentionIn names what is left of a deleted Secret: its account's mention of it. No object can have such a name.
func mentionIn(secret metav1.Object) types.NamespacedName {
	account := secret.GetAnnotations()[corev1.ServiceAccountNameKey]
	return types.NamespacedName{Namespace: secret.GetNamespace(), Name: account + "/" + secret.GetName()}
}

// mention reads what mentionIn wrote; ok is false for the name of a Secret that is there.
func mention(name types.NamespacedName) (account types.NamespacedName, secret string, ok bool) {
	account.Namespace = name.Namespace
	account.Name, secret, ok = strings.Cut(name.Name, "/")
	return account, secret, ok && account.Name != ""
}

// fill returns a copy of the Secret with what it lacks, or nil. A token that is there stays.
func fill(secret *corev1.Secret, account *corev1.ServiceAccount, issue Issue, rootCA []byte) (*corev1.Secret, error) {
	needsCA := len(rootCA) > 0 && !bytes.Equal(secret.Data[corev1.ServiceAccountRootCAKey], rootCA)
	needsNamespace := len(secret.Data[corev1.ServiceAccountNamespaceKey]) == 0
	needsToken := len(secret.Data[corev1.ServiceAccountTokenKey]) == 0
	if !needsCA && !needsNamespace && !needsToken {
		return nil, nil
	}
	filled := secret.DeepCopy()
	if filled.Data == nil {
		filled.Data = map[string][]byte{}
	}
	if needsCA {
		filled.Data[corev1.ServiceAccountRootCAKey] = rootCA
	}
	if needsNamespace {
		filled.Data[corev1.ServiceAccountNamespaceKey] = []byte(secret.Namespace)
	}
	if needsToken {
		token, err := issue(account, secret)
		if err != nil {
			return nil, err
		}
		filled.Data[corev1.ServiceAccountTokenKey] = []byte(token)
	}
	metav1.SetMetaDataAnnotation(&filled.ObjectMeta, corev1.ServiceAccountNameKey, account.Name)
	metav1.SetMetaDataAnnotation(&filled.ObjectMeta, corev1.ServiceAccountUIDKey, string(account.UID))
	return filled, nil
}

// without returns a copy of the account that does not mention the Secret, or nil if it does not anyway.
func without(account *corev1.ServiceAccount, secret string) *corev1.ServiceAccount {
	mentions := func(ref corev1.ObjectReference) bool { return ref.Name == secret }
	if !slices.ContainsFunc(account.Secrets, mentions) {
		return nil
	}
	shorter := account.DeepCopy()
	shorter.Secrets = slices.DeleteFunc(shorter.Secrets, mentions)
	return shorter
}
