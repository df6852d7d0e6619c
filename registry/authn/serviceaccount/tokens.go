// Package serviceaccount issues and verifies the tokens of service accounts.
//
// Tokens are JSON Web Tokens. Those that clients request (TokenRequest) expire and may be bound to a Pod, Secret or Node;
// those in Secrets of type kubernetes.io/service-account-token live as long as the Secret does.
// See https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/.
package serviceaccount

import (
	"crypto"
	"fmt"
	"slices"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Config says who issues tokens to whom.
type Config struct {
	// Issuer is the URL that tokens name as their origin: https://kubernetes.default.svc.<domain>. Further Accepted issuers
	// are those of tokens that are still around.
	Issuer   string
	Accepted []string
	// Audiences are those of the API server, the issuer unless set. Tokens get them unless asked otherwise.
	Audiences []string
	// Signer signs; an RSA or ECDSA key. Public keys verify, the signer's own too.
	Signer crypto.Signer
	Public []crypto.PublicKey
	// Known objects are asked, for each token that is verified, whether what it is bound to still exists: they should be
	// cached. Current ones are asked when a token is issued, and before one is refused.
	Known, Current Objects
	// Secrets is where the use of tokens in Secrets is written down; nil: nowhere.
	Secrets typedcorev1.SecretsGetter
	// Now is time.Now unless set.
	Now func() time.Time
}

// Tokens issues and verifies. It is safe for concurrent use.
type Tokens struct {
	issuer    string
	accepted  []string
	audiences authenticator.Audiences
	keys      *keys
	known     Objects
	current   Objects
	secrets   typedcorev1.SecretsGetter
	now       func() time.Time
}

// New checks the keys.
func New(c Config) (*Tokens, error) {
	keys, err := newKeys(c.Signer, c.Public)
	if err != nil {
		return nil, fmt.Errorf("preparing keys of service account tokens: %w", err)
	}
	if len(c.Audiences) == 0 {
		c.Audiences = []string{c.Issuer}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Tokens{
		issuer: c.Issuer, accepted: append(slices.Clone(c.Accepted), c.Issuer, legacyIssuer), audiences: c.Audiences,
		keys: keys, known: c.Known, current: c.Current, secrets: c.Secrets, now: c.Now,
	}, nil
}

// Audiences are those of the API server.
func (t *Tokens) Audiences() authenticator.Audiences { return t.audiences }
