package serviceaccount

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// legacyIssuer is that of tokens in Secrets.
const legacyIssuer = "kubernetes/serviceaccount"

// leeway is how far clocks may differ.
const leeway = time.Minute

// claims of either kind of token.
type claims struct {
	jwt.RegisteredClaims
	Kubernetes *private `json:"kubernetes.io,omitempty"`
	legacyClaims
}

// private claims of tokens that were requested.
type private struct {
	Namespace string           `json:"namespace,omitempty"`
	Node      *ref             `json:"node,omitempty"`
	Pod       *ref             `json:"pod,omitempty"`
	Secret    *ref             `json:"secret,omitempty"`
	Account   ref              `json:"serviceaccount"`
	WarnAfter *jwt.NumericDate `json:"warnafter,omitempty"`
}

type ref struct {
	Name string    `json:"name,omitempty"`
	UID  types.UID `json:"uid,omitempty"`
}

// legacyClaims are those of tokens in Secrets.
type legacyClaims struct {
	Namespace   string    `json:"kubernetes.io/serviceaccount/namespace,omitempty"`
	SecretName  string    `json:"kubernetes.io/serviceaccount/secret.name,omitempty"`
	AccountName string    `json:"kubernetes.io/serviceaccount/service-account.name,omitempty"`
	AccountUID  types.UID `json:"kubernetes.io/serviceaccount/service-account.uid,omitempty"`
}

func refTo(obj metav1.Object) *ref { return &ref{Name: obj.GetName(), UID: obj.GetUID()} }

// parse verifies a token's signature and issuer. ours is false for what is no token of one of the issuers, which another
// authenticator may know.
func (k *keys) parse(token string, issuers []string) (c *claims, ours bool, err error) {
	if !slices.Contains(issuers, unverifiedIssuer(token)) {
		return nil, false, nil
	}
	c = &claims{}
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	_, err = parser.ParseWithClaims(token, c, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		set := jwt.VerificationKeySet{}
		for _, key := range k.byID(id) {
			if key.method.Alg() == t.Method.Alg() {
				set.Keys = append(set.Keys, key.key)
			}
		}
		return set, nil
	})
	if err != nil {
		return nil, true, fmt.Errorf("verifying a service account token: %w", err)
	}
	if !slices.Contains(issuers, c.Issuer) {
		return nil, true, fmt.Errorf("token issuer %q is invalid", c.Issuer)
	}
	return c, true, nil
}

func unverifiedIssuer(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, found := strings.Cut(rest, ".")
	if !found {
		return ""
	}
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(data, &c) != nil {
		return ""
	}
	return c.Issuer
}

// checkTime reports whether the token is valid now.
func (c *claims) checkTime(now time.Time) error {
	switch {
	case c.ExpiresAt != nil && now.Add(-leeway).After(c.ExpiresAt.Time):
		return errors.New("service account token has expired")
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time):
		return errors.New("service account token is not valid yet")
	case c.IssuedAt != nil && now.Add(leeway).Before(c.IssuedAt.Time):
		return errors.New("service account token is issued in the future")
	}
	return nil
}
