package certificates

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

func TestWhoIsNoNewNode(t *testing.T) {
	servers, err := bootstrap.ServersConfigMap(nil, "192.0.2.1", bootstrap.Server{Node: "control"}, true)
	if err != nil {
		t.Fatal(err)
	}
	there := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "there"}}
	r := &controller{client: fake.NewClientBuilder().WithObjects(servers, there).Build(), places: places{domain: "example.org"}}
	for node, want := range map[string]string{
		"new": "", "control": "server of the cluster", "there": "in the cluster already", "kubernetes": "Service", "a.b.svc.example.org": "Service",
	} {
		why, err := r.objection(t.Context(), node)
		if err != nil || (why == "") != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%s: %q, %v", node, why, err)
		}
	}
}

func TestANameBelongsToWhoWasLetInFirst(t *testing.T) {
	var j joining
	if !j.claim("n", "1", now) || !j.claim("n", "1", now) {
		t.Error("the first is not let in, or not again")
	}
	if j.claim("n", "2", now.Add(settling/2)) {
		t.Error("a second is let in before the first is there")
	}
	if !j.claim("m", "3", now) {
		t.Error("another name is not free")
	}
	if !j.claim("n", "2", now.Add(settling)) {
		t.Error("one that does not come keeps its name")
	}
	j.arrived("n")
	if !j.claim("n", "4", now.Add(settling)) {
		t.Error("the name of a node that came and went is not free")
	}
}
