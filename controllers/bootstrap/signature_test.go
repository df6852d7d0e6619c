package bootstrap

import (
	"maps"
	"testing"

	"k8s.io/cluster-bootstrap/token/api"
)

// signatureOfAll is what upstream's own function makes of the content, id and secret below.
const signatureOfAll = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..vH_kT4yiol-nrAWgjfCYqvum5wsKETXe0S7OOp1VgnE"

func TestSignatureIsUpstreams(t *testing.T) {
	if got := signature("apiVersion: v1\nkind: Config\n", "abcdef", "0123456789abcdef"); got != signatureOfAll {
		t.Errorf("got %s", got)
	}
}

func TestSignaturesAreThoseOfTheTokens(t *testing.T) {
	kubeconfig := "apiVersion: v1\nkind: Config\n"
	for _, test := range []struct {
		name               string
		data, tokens, want map[string]string
	}{
		{"nothing to sign", map[string]string{"other": "x"}, map[string]string{"abcdef": "0123456789abcdef"}, map[string]string{"other": "x"}},
		{"a new token", map[string]string{api.KubeConfigKey: kubeconfig}, map[string]string{"abcdef": "0123456789abcdef"},
			map[string]string{api.KubeConfigKey: kubeconfig, "jws-kubeconfig-abcdef": signatureOfAll}},
		{"a token that has gone", map[string]string{api.KubeConfigKey: kubeconfig, "jws-kubeconfig-aaaaaa": "x"}, nil,
			map[string]string{api.KubeConfigKey: kubeconfig}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := sign(test.data, test.tokens); !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
