package bootstrap

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/cluster-bootstrap/util/secrets"
)

func TestUsesAreCountedOnce(t *testing.T) {
	now := time.Now()
	made, err := NewToken(ca)
	if err != nil {
		t.Fatal(err)
	}
	s := TokenSecret(made, "", now.Add(24*time.Hour))
	LimitUses(s, 2)
	use := func(node, request string, changed bool, want error) {
		t.Helper()
		if got, err := UseToken(s, node, request, now); got != changed || !errors.Is(err, want) {
			t.Errorf("%s by %s: changed %v, %v", node, request, got, err)
		}
	}
	use("a.example", "1", true, nil)
	use("a.example", "1", false, nil)
	if left, _ := secrets.GetExpiration(s, now); left < 23*time.Hour {
		t.Errorf("it ends in %s, though it is not used up", left)
	}
	use("b", "2", true, nil)
	use("c", "3", false, ErrUsedUp)
	use("b", "2", false, nil) // who used it last may ask again
	if left, expired := secrets.GetExpiration(s, now); expired || left > usedUpLife {
		t.Errorf("used up, it ends in %s", left)
	}
	if uses, nodes, err := TokenUses(s); uses != 2 || !slices.Equal(nodes, []string{"a.example", "b"}) || err != nil {
		t.Errorf("it is for %d, used by %v, %v", uses, nodes, err)
	}
}

func TestTokensOfOthersAreNotCounted(t *testing.T) {
	s := TokenSecret(Token{ID: "abcdef", Secret: "0123456789abcdef"}, "", time.Time{})
	LimitUses(s, 0)
	if changed, err := UseToken(s, "a", "1", time.Now()); changed || err != nil || len(s.Annotations) != 0 {
		t.Errorf("changed %v, %v: %v", changed, err, s.Annotations)
	}
	for _, broken := range []string{"", "0", "-1", "many"} {
		s.Annotations = map[string]string{usesAnnotation: broken}
		if _, err := UseToken(s, "a", "1", time.Now()); err == nil {
			t.Errorf("of %q uses one is taken", broken)
		}
	}
}

func TestUsedUpForEverEnds(t *testing.T) {
	s := TokenSecret(Token{ID: "abcdef", Secret: "0123456789abcdef"}, "", time.Time{})
	LimitUses(s, 1)
	now := time.Now()
	if _, err := UseToken(s, "a", "1", now); err != nil {
		t.Fatal(err)
	}
	if !secrets.HasExpired(s, now.Add(usedUpLife)) {
		t.Error("it goes on")
	}
}

func TestServersKeepTheirOwnEntries(t *testing.T) {
	first, err := ServersConfigMap(nil, "192.0.2.1", Server{Node: "a", Hosts: []string{"a", "192.0.2.1"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	both, err := ServersConfigMap(first.Data, "2001:db8::2", Server{Hosts: []string{"*.example"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	all, err := ServersOf(both.Data)
	if err != nil || !slices.Equal(all.Nodes(), []string{"a"}) || strings.Join(all.Hosts(), " ") != "a 192.0.2.1 *.example" {
		t.Errorf("read %v, %v", all, err)
	}
	moved, err := ServersConfigMap(both.Data, "192.0.2.3", Server{Node: "a", Hosts: []string{"a", "192.0.2.3"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if all, err = ServersOf(moved.Data); err != nil || len(all) != 2 || slices.Contains(all.Hosts(), "192.0.2.1") {
		t.Errorf("with another address: %v, %v", all, err)
	}
	alone, err := ServersConfigMap(map[string]string{"192.0.2.9": "broken"}, "192.0.2.3", Server{Node: "a"}, true)
	if err != nil || len(alone.Data) != 1 {
		t.Errorf("alone: %v, %v", alone, err)
	}
	if _, err := ServersOf(map[string]string{"x": "broken"}); err == nil {
		t.Error("anything is read")
	}
}
