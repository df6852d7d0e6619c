package bootstrap

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// signature is a token's signature on content: a JWS (HS256, compact) without its payload, as RFC 7515, appendix F, has it.
// kubeadm compares it byte by byte, so the header's fields are in this order. An id holds letters and digits only.
func signature(content, id, secret string) string {
	encode := base64.RawURLEncoding.EncodeToString
	header := encode(fmt.Appendf(nil, `{"alg":"HS256","kid":"%s"}`, id))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(header + "." + encode([]byte(content))))
	return header + ".." + encode(mac.Sum(nil))
}
