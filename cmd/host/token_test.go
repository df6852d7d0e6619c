package host

import (
	"bytes"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

func TestTokensComeAndGo(t *testing.T) {
	port := int32(6443)
	tokens := &Tokens{ca: &x509.Certificate{}, client: fake.NewClientset(&discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.7"}}}, Ports: []discoveryv1.EndpointPort{{Port: &port}},
	})}
	later, server, err := tokens.Create(t.Context(), 2*time.Hour, 3, "for the rack")
	if err != nil || server != "https://192.0.2.7:6443" {
		t.Fatalf("server %s, %v", server, err)
	}
	sooner, _, err := tokens.Create(t.Context(), time.Hour, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tokens.List(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(out.String()) {
		ids = append(ids, strings.Fields(line)[0])
	}
	first, second := parseToken(t, sooner), parseToken(t, later)
	if got, want := strings.Join(ids, " "), "ID "+first.ID+" "+second.ID; got != want || !strings.Contains(out.String(), "for the rack") || !strings.Contains(out.String(), "0/3") || !strings.Contains(out.String(), "any") {
		t.Errorf("listed, the first to expire first:\n%swant %s", out.String(), want)
	}
	if strings.Contains(out.String(), first.Secret) {
		t.Error("the list tells a secret")
	}
	for _, which := range []string{first.ID, later} {
		if err := tokens.Delete(t.Context(), which); err != nil {
			t.Error(err)
		}
	}
	if err := tokens.Delete(t.Context(), first.ID); err == nil || !strings.Contains(err.Error(), "there is no token") {
		t.Errorf("deleted twice: %v", err)
	}
	if _, _, err := tokens.Create(t.Context(), -time.Hour, 1, ""); err == nil {
		t.Error("a token was made that has expired")
	}
	if _, _, err := tokens.Create(t.Context(), time.Hour, -1, ""); err == nil || !strings.Contains(err.Error(), "--uses") {
		t.Errorf("a token was made that is for less than nobody: %v", err)
	}
}

func parseToken(t *testing.T, text string) bootstrap.Token {
	t.Helper()
	token, err := bootstrap.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
