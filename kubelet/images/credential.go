package images

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// Credential opens a registry, and is from a secret.
type Credential struct {
	Auth *runtimeapi.AuthConfig
	from kubeletv1beta1.ImagePullSecret
}

func newCredential(auth *runtimeapi.AuthConfig, secret *corev1.Secret) *Credential {
	hash := sha256.New()
	for _, s := range []string{auth.Username, auth.Password, auth.IdentityToken} {
		hash.Write([]byte(strconv.Itoa(len(s)) + ":" + s)) // a hash has no errors
	}
	return &Credential{auth, kubeletv1beta1.ImagePullSecret{
		UID: string(secret.UID), Namespace: secret.Namespace, Name: secret.Name, CredentialHash: hex.EncodeToString(hash.Sum(nil)),
	}}
}

// rights are those of who pulled with a credential; an image that needs none is for all.
func (c *Credential) rights() *kubeletv1beta1.ImagePullCredentials {
	if c == nil {
		return &kubeletv1beta1.ImagePullCredentials{NodePodsAccessible: true}
	}
	return &kubeletv1beta1.ImagePullCredentials{KubernetesSecrets: []kubeletv1beta1.ImagePullSecret{c.from}}
}

// among says whether a credential is one of those known to be good: the same one from whatever secret, or what a known secret
// holds now. learn is whether it is not known exactly so.
func (c *Credential) among(good []kubeletv1beta1.ImagePullSecret) (may, learn bool) {
	if slices.Contains(good, c.from) {
		return true, false
	}
	may = slices.ContainsFunc(good, func(g kubeletv1beta1.ImagePullSecret) bool {
		return g.CredentialHash == c.from.CredentialHash || sameSecret(g, c.from)
	})
	return may, may
}

func sameSecret(a, b kubeletv1beta1.ImagePullSecret) bool {
	return a.UID == b.UID && a.Namespace == b.Namespace && a.Name == b.Name
}

// with is a record with more rights to a repository; what was in the record stays as it is.
func with(record kubeletv1beta1.ImagePulledRecord, repository string, more kubeletv1beta1.ImagePullCredentials) (_ kubeletv1beta1.ImagePulledRecord, changed bool) {
	rights := record.CredentialMapping[repository]
	if rights.NodePodsAccessible {
		return record, false
	}
	if more.NodePodsAccessible {
		rights = kubeletv1beta1.ImagePullCredentials{NodePodsAccessible: true}
	} else {
		secrets := slices.Clone(rights.KubernetesSecrets)
		for _, s := range more.KubernetesSecrets {
			if slices.Contains(secrets, s) {
				continue
			}
			changed = true
			secrets = append(slices.DeleteFunc(secrets, func(old kubeletv1beta1.ImagePullSecret) bool { return sameSecret(old, s) }), s)
		}
		if !changed {
			return record, false
		}
		rights.KubernetesSecrets = secrets
	}
	mapping := maps.Clone(record.CredentialMapping)
	if mapping == nil {
		mapping = map[string]kubeletv1beta1.ImagePullCredentials{}
	}
	mapping[repository] = rights
	record.CredentialMapping = mapping
	return record, true
}
