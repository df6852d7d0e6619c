package serviceaccount

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
)

// Paths at which relying parties find out how to verify tokens.
// See https://openid.net/specs/openid-connect-discovery-1_0.html.
const (
	ConfigurationPath = "/.well-known/openid-configuration"
	KeySetPath        = "/openid/v1/jwks"
)

type configuration struct {
	Issuer        string   `json:"issuer"`
	KeySet        string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
}

// webKey is a public key, https://www.rfc-editor.org/rfc/rfc7517.
type webKey struct {
	Use       string `json:"use"`
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Curve     string `json:"crv,omitempty"`
	Algorithm string `json:"alg"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

// Document is one of those.
type Document struct {
	Path, MediaType string
	http.Handler
}

// Discovery returns both documents. address is the host and port under which clients reach the API server.
func (t *Tokens) Discovery(address string) []Document {
	config := configuration{
		Issuer: t.issuer, KeySet: "https://" + address + KeySetPath,
		ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
	}
	var set struct {
		Keys []webKey `json:"keys"`
	}
	for _, key := range t.keys.public {
		config.Algorithms = append(config.Algorithms, key.method.Alg())
		set.Keys = append(set.Keys, key.web())
	}
	slices.Sort(config.Algorithms)
	config.Algorithms = slices.Compact(config.Algorithms)
	return []Document{document(ConfigurationPath, "application/json", config), document(KeySetPath, "application/jwk-set+json", set)}
}

func document(path, mediaType string, content any) Document {
	data, err := json.Marshal(content)
	return Document{path, mediaType, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(data) // the client is gone
	})}
}

func (k publicKey) web() webKey {
	web := webKey{Use: "sig", ID: k.id, Algorithm: k.method.Alg()}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		web.Type, web.N, web.E = "RSA", encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		web.Type, web.Curve = "EC", key.Curve.Params().Name
		if point, err := key.Bytes(); err == nil { // 4, x, y
			half := len(point) / 2
			web.X, web.Y = encode(point[1:half+1]), encode(point[half+1:])
		}
	}
	return web
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
