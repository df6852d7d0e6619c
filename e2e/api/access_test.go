package api

import (
	"crypto/tls"
	"net/http"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func TestOnlyHealthAndVersionAreAnonymous(t *testing.T) {
	r := apitest.Shared(t)
	client := &http.Client{Timeout: await.Limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for path, want := range map[string]int{
		"/healthz": 200, "/livez": 200, "/readyz": 200, "/version": 200,
		"/": 401, "/api": 401, "/apis": 401, "/api/v1/namespaces": 401, "/openapi/v2": 401, "/openapi/v3": 401,
		"/metrics": 401, "/debug/pprof/": 401, "/.well-known/openid-configuration": 401, "/healthz/etcd": 401, "/nothing": 401,
	} {
		answer, err := client.Get(r.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
		}
	}
}

func TestHeadersDoNotNameUsers(t *testing.T) {
	r := apitest.Shared(t)
	client := &http.Client{Timeout: await.Limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for header, value := range map[string]string{
		"X-Remote-User": "system:admin", "Impersonate-User": "system:admin", "Authorization": "Bearer x",
	} {
		request, _ := http.NewRequest(http.MethodGet, r.URL+"/api/v1/secrets", http.NoBody)
		request.Header.Set(header, value)
		request.Header.Set("X-Remote-Group", "system:masters")
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("with %s: %d", header, answer.StatusCode)
		}
	}
}

func TestHealthAndIssuerArePathsToGet(t *testing.T) {
	r := apitest.Shared(t)
	of := func(name string, groups ...string) *http.Client {
		t.Helper()
		transport, err := rest.TransportFor(asConfig(t, r, name, groups...))
		if err != nil {
			t.Fatal(err)
		}
		return &http.Client{Transport: transport}
	}
	jane, root := of("jane"), of("root", "system:masters")
	for _, test := range []struct {
		client               *http.Client
		method, path, accept string
		want                 int
	}{
		{jane, "GET", "/healthz", "", 200},
		{jane, "GET", "/version", "", 200},
		{jane, "PUT", "/healthz", "", 403},
		{jane, "DELETE", "/readyz", "", 403},
		{jane, "OPTIONS", "/livez", "", 403},
		{jane, "PATCH", "/version", "", 403},
		{jane, "POST", "/version", "", 403},
		{root, "GET", "/openid/v1/jwks", "", 200},
		{root, "GET", "/openid/v1/jwks", "application/jwk-set+json", 200},
		{root, "GET", "/openid/v1/jwks", "application/json", 406},
		{root, "GET", "/.well-known/openid-configuration", "application/json", 200},
		{root, "GET", "/.well-known/openid-configuration", "text/plain", 406},
		{root, "PUT", "/.well-known/openid-configuration", "", 405},
		{root, "DELETE", "/openid/v1/jwks", "", 405},
		{root, "OPTIONS", "/openid/v1/jwks", "", 405},
		{root, "POST", "/openid/v1/jwks/", "", 405},
		{root, "DELETE", "/openapi/v2", "", 200},
		{root, "GET", "/flagz", "text/plain", 404}, // without a program that has flags
		{jane, "GET", "/openid/v1/jwks", "", 403},
	} {
		request, err := http.NewRequestWithContext(apitest.Context(t), test.method, r.URL+test.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if test.accept != "" {
			request.Header.Set("Accept", test.accept)
		}
		answer, err := test.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != test.want {
			t.Errorf("%s %s, accepting %q: %d, want %d", test.method, test.path, test.accept, answer.StatusCode, test.want)
		}
	}
}
