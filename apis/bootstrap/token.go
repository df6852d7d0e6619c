// Package bootstrap is what a machine needs to join a cluster: its token, and what it must know of the cluster.
package bootstrap

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cluster-bootstrap/token/api"
)

// Group is what joining machines are members of, besides api.BootstrapDefaultGroup.
const Group = "system:bootstrappers:coracle:default-node-token"

const (
	idLength     = 6
	secretLength = 16
	alphabet     = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// Token lets a machine join a cluster, and lets it know that cluster by its CA.
// Its first two parts are a bootstrap token: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/.
type Token struct {
	ID, Secret string
	// CAHash is CAHash of the cluster's CA certificate.
	CAHash string
}

var (
	tokenPattern = regexp.MustCompile(`^([a-z0-9]{6})\.([a-z0-9]{16})\.([0-9a-f]{64})$`)
	idPattern    = regexp.MustCompile(`^[a-z0-9]{6}$`)
)

// ParseToken reads what String has written. The error does not repeat the token, which is a secret.
func ParseToken(s string) (Token, error) {
	parts := tokenPattern.FindStringSubmatch(s)
	if parts == nil {
		return Token{}, errors.New("not a token of the form id.secret.hash, as `coracle token create` prints it")
	}
	return Token{ID: parts[1], Secret: parts[2], CAHash: parts[3]}, nil
}

// NewToken makes a random token for the cluster of a CA.
func NewToken(ca *x509.Certificate) (Token, error) {
	id, err := random(idLength)
	if err != nil {
		return Token{}, err
	}
	secret, err := random(secretLength)
	return Token{ID: id, Secret: secret, CAHash: CAHash(ca)}, err
}

func random(length int) (string, error) {
	text := make([]byte, length)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", fmt.Errorf("making a token: %w", err)
		}
		text[i] = alphabet[n.Int64()]
	}
	return string(text), nil
}

// String is the whole token: id.secret.hash.
func (t Token) String() string { return t.Bearer() + "." + t.CAHash }

// Bearer is what the API server is shown.
func (t Token) Bearer() string { return t.ID + "." + t.Secret }

// CAHash is the hex SHA-256 of a certificate's SubjectPublicKeyInfo: it stays when the certificate is renewed with its key.
func CAHash(ca *x509.Certificate) string {
	sum := sha256.Sum256(ca.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// SecretName is the name of a token's Secret in kube-system. A whole token names it as well as its ID does.
func SecretName(id string) (string, error) {
	if t, err := ParseToken(id); err == nil {
		id = t.ID
	}
	if !idPattern.MatchString(id) {
		return "", fmt.Errorf("%q is not the ID of a token: six letters or digits", id)
	}
	return api.BootstrapTokenSecretPrefix + id, nil
}

// TokenSecret is what the API server knows a token by. Zero expires: it is valid until it is deleted.
func TokenSecret(t Token, description string, expires time.Time) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: api.BootstrapTokenSecretPrefix + t.ID},
		Type:       api.SecretTypeBootstrapToken,
		Data: map[string][]byte{
			api.BootstrapTokenIDKey:               []byte(t.ID),
			api.BootstrapTokenSecretKey:           []byte(t.Secret),
			api.BootstrapTokenUsageAuthentication: []byte("true"),
			api.BootstrapTokenUsageSigningKey:     []byte("true"),
			api.BootstrapTokenExtraGroupsKey:      []byte(Group),
		},
	}
	if description != "" {
		s.Data[api.BootstrapTokenDescriptionKey] = []byte(description)
	}
	if !expires.IsZero() {
		s.Data[api.BootstrapTokenExpirationKey] = []byte(expires.UTC().Format(time.RFC3339))
	}
	return s
}
