package openapi

import (
	"maps"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

func TestServersAreNotAskedEachTime(t *testing.T) {
	service := func(name string) *apiregistrationv1.APIService {
		return &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: name, UID: apitypes.UID(name)}, Spec: apiregistrationv1.APIServiceSpec{
			Group: name, Version: "v1", Service: &apiregistrationv1.ServiceReference{Name: name},
		}}
	}
	var m memory
	now := time.Now()
	a, b := service("a"), service("b")
	both := []*apiregistrationv1.APIService{a, b}
	ask := func(when string, s *apiregistrationv1.APIService, want bool) {
		t.Helper()
		if got := m.mayAsk(s, now); got != want {
			t.Errorf("%s: %s is asked: %v", when, s.Name, got)
		}
	}
	ask("at first", a, true)
	ask("at first", b, true)
	ask("while somebody asks", a, false)
	m.learn(a, "1", now)
	m.learn(b, "", now)
	if got := m.of(both); !maps.Equal(got, map[string]string{"apis/a/v1": "1"}) {
		t.Errorf("known is %v", got)
	}
	now = now.Add(unknownFor)
	ask("soon", a, false)
	ask("soon", b, true)
	now = now.Add(knownFor)
	ask("later", a, true)
	m.learn(a, "", now)
	if got := m.of(both)["apis/a/v1"]; got != "1" {
		t.Errorf("a server that does not answer any more had %q", got)
	}
	a = service("a")
	a.Spec.CABundle = []byte("another")
	ask("somewhere else", a, true)
	if got := m.of([]*apiregistrationv1.APIService{a}); len(got) != 0 || len(m.known) != 1 {
		t.Errorf("of the new one %v is known, of %d servers", got, len(m.known))
	}
}
