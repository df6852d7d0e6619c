package authn

import (
	"context"
	"crypto/subtle"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/cluster-bootstrap/token/api"
	secretutil "k8s.io/cluster-bootstrap/util/secrets"
	tokenutil "k8s.io/cluster-bootstrap/util/tokens"
)

// bootstrapTokens knows machines that join by tokens kept in Secrets of kube-system.
// See https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/.
type bootstrapTokens struct {
	secrets listers.SecretNamespaceLister
	now     func() time.Time
}

func newBootstrapTokens(secrets listers.SecretLister) authenticator.Token {
	return bootstrapTokens{secrets: secrets.Secrets(metav1.NamespaceSystem), now: time.Now}
}

// AuthenticateToken ignores what does not look like such a token, and such that do not fit their Secret: nothing tells a
// caller which of them exist.
func (b bootstrapTokens) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	id, value, err := tokenutil.ParseToken(token)
	if err != nil {
		return nil, false, nil
	}
	secret, err := b.secrets.Get(api.BootstrapTokenSecretPrefix + id)
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if !fits(secret, id, value, b.now()) {
		return nil, false, nil
	}
	groups, err := secretutil.GetGroups(secret)
	if err != nil {
		return nil, false, nil
	}
	return &authenticator.Response{User: &user.DefaultInfo{Name: api.BootstrapUserPrefix + id, Groups: groups}}, true, nil
}

func fits(secret *corev1.Secret, id, value string, now time.Time) bool {
	return secret.DeletionTimestamp == nil && secret.Type == api.SecretTypeBootstrapToken &&
		subtle.ConstantTimeCompare(secret.Data[api.BootstrapTokenSecretKey], []byte(value)) == 1 &&
		secretutil.GetData(secret, api.BootstrapTokenIDKey) == id &&
		secretutil.GetData(secret, api.BootstrapTokenUsageAuthentication) == "true" &&
		!secretutil.HasExpired(secret, now)
}
