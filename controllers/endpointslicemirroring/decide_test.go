package endpointslicemirroring

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func endpoints(ips ...string) *corev1.Endpoints {
	e := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web", UID: "u", Labels: map[string]string{"a": "b"}}}
	subset := corev1.EndpointSubset{Ports: []corev1.EndpointPort{{Port: 80, Protocol: corev1.ProtocolTCP}}}
	for _, ip := range ips {
		subset.Addresses = append(subset.Addresses, corev1.EndpointAddress{IP: ip})
	}
	e.Subsets = []corev1.EndpointSubset{subset}
	return e
}

// written are the slices after a plan for no slices, as the server would have them.
func written(t *testing.T, source *corev1.Endpoints) []*discoveryv1.EndpointSlice {
	t.Helper()
	p := decide(source, nil)
	for i, slice := range p.create {
		slice.GenerateName, slice.Name, slice.ResourceVersion = "", fmt.Sprintf("web-%d", i), "1"
	}
	return p.create
}

func TestDecide(t *testing.T) {
	renamed := endpoints("10.0.0.1")
	renamed.Subsets[0].Ports[0].Port = 81
	for name, test := range map[string]struct {
		before, now *corev1.Endpoints
		want        string
	}{
		"first":                {now: endpoints("10.0.0.1", "10.0.0.2"), want: "create 1"},
		"a slice per family":   {now: endpoints("10.0.0.1", "fd00::1"), want: "create 2"},
		"nothing changed":      {before: endpoints("10.0.0.1"), now: endpoints("10.0.0.1")},
		"another order":        {before: endpoints("10.0.0.1", "10.0.0.2"), now: endpoints("10.0.0.2", "10.0.0.1")},
		"one more":             {before: endpoints("10.0.0.1"), now: endpoints("10.0.0.1", "10.0.0.2"), want: "update 1"},
		"other ports":          {before: endpoints("10.0.0.1"), now: renamed, want: "update 1"},
		"no address":           {before: endpoints("10.0.0.1"), now: endpoints(), want: "remove 1"},
		"other family":         {before: endpoints("10.0.0.1"), now: endpoints("fd00::1"), want: "create 1 remove 1"},
		"what is no address":   {now: endpoints("10.0.0.1", "x"), want: "create 1 invalid 1"},
		"more than can be had": {now: endpoints(many(1002)...), want: "create 1 skipped 2"},
	} {
		t.Run(name, func(t *testing.T) {
			var existing []*discoveryv1.EndpointSlice
			if test.before != nil {
				existing = written(t, test.before)
			}
			if got := words(decide(test.now, existing)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func many(n int) []string {
	var ips []string
	for i := range n {
		ips = append(ips, fmt.Sprintf("10.0.%d.%d", i/250, i%250))
	}
	return ips
}

func words(p plan) string {
	var text string
	for _, part := range []struct {
		word string
		n    int
	}{{"create", len(p.create)}, {"update", len(p.update)}, {"remove", len(p.remove)}, {"invalid", p.invalid}, {"skipped", p.tooMany}} {
		if part.n > 0 {
			text += fmt.Sprintf("%s %d ", part.word, part.n)
		}
	}
	if text == "" {
		return text
	}
	return text[:len(text)-1]
}
