package serviceaccount

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// publicKey verifies tokens; id is the "kid" of their header.
type publicKey struct {
	id     string
	method jwt.SigningMethod
	key    crypto.PublicKey
}

type keys struct {
	signer crypto.Signer
	own    publicKey
	public []publicKey // the own one first
}

func newKeys(signer crypto.Signer, more []crypto.PublicKey) (*keys, error) {
	if signer == nil {
		return nil, errors.New("there is no signing key")
	}
	k := &keys{signer: signer}
	for _, key := range append([]crypto.PublicKey{signer.Public()}, more...) {
		public, err := describe(key)
		if err != nil {
			return nil, err
		}
		if len(k.public) == 0 || len(k.byID(public.id)) == 0 {
			k.public = append(k.public, public)
		}
	}
	k.own = k.public[0]
	return k, nil
}

// byID returns the keys that may have signed a token with this key ID; all if it has none.
func (k *keys) byID(id string) []publicKey {
	if id == "" {
		return k.public
	}
	for i := range k.public {
		if k.public[i].id == id {
			return k.public[i : i+1]
		}
	}
	return nil
}

func (k *keys) sign(c *claims) (string, error) {
	token := jwt.NewWithClaims(k.own.method, c)
	token.Header["kid"] = k.own.id
	delete(token.Header, "typ")
	signed, err := token.SignedString(k.signer)
	if err != nil {
		return "", fmt.Errorf("signing a token of %s: %w", c.Subject, err)
	}
	return signed, nil
}

// describe names a key by the hash of its encoding, as upstream does: tokens of either can be verified by both.
func describe(key crypto.PublicKey) (publicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return publicKey{}, fmt.Errorf("encoding a public key: %w", err)
	}
	sum := sha256.Sum256(der)
	public := publicKey{id: base64.RawURLEncoding.EncodeToString(sum[:]), key: key}
	switch key := key.(type) {
	case *rsa.PublicKey:
		public.method = jwt.SigningMethodRS256
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 256:
			public.method = jwt.SigningMethodES256
		case 384:
			public.method = jwt.SigningMethodES384
		case 521:
			public.method = jwt.SigningMethodES512
		}
	}
	if public.method == nil {
		return publicKey{}, fmt.Errorf("a %T cannot sign tokens", key)
	}
	return public, nil
}
