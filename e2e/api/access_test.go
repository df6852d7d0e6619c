package api

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func TestOnlyHealthAndVersionAreAnonymous(t *testing.T) {
	r := apitest.Start(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
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
	r := apitest.Start(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
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
