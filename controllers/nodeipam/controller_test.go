package nodeipam

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// cluster is one with room for two Nodes.
type cluster struct {
	*controller
	t      *testing.T
	events *events.FakeRecorder
	// refuse fails the next patch.
	refuse error
}

func newCluster(t *testing.T, nodes ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, events: events.NewFakeRecorder(20)}
	builder := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, on client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := c.refuse; err != nil {
				c.refuse = nil
				return err
			}
			return on.Patch(ctx, o, patch, opts...)
		},
	})
	for _, text := range nodes {
		builder.WithObjects(node(text))
	}
	c.controller = &controller{
		client: builder.Build(), recorder: c.events, waiting: map[string]bool{},
		ranges: newRanges(netip.MustParsePrefix("10.244.0.0/23"), netip.Prefix{}, 24),
	}
	return c
}

// node is "name range", or a name alone.
func node(text string) *corev1.Node {
	name, cidr, _ := strings.Cut(text, " ")
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if cidr != "" {
		n.Spec.PodCIDR, n.Spec.PodCIDRs = cidr, []string{cidr}
	}
	return n
}

func (c *cluster) see(names ...string) {
	c.t.Helper()
	for _, name := range names {
		if _, err := c.Reconcile(c.t.Context(), loop.Request("", name)); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) expect(want ...string) {
	c.t.Helper()
	var nodes corev1.NodeList
	if err := c.client.List(c.t.Context(), &nodes); err != nil {
		c.t.Fatal(err)
	}
	var got []string
	for _, n := range nodes.Items {
		got = append(got, strings.TrimSpace(n.Name+" "+n.Spec.PodCIDR))
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("nodes %q, want %q", got, want)
	}
}

func (c *cluster) remove(name string) {
	c.t.Helper()
	if err := c.client.Delete(c.t.Context(), node(name)); err != nil {
		c.t.Fatal(err)
	}
}

func TestNodeTakesWhatNoOtherHas(t *testing.T) {
	c := newCluster(t, "a", "b 10.244.0.0/24")
	c.see("a") // before b is looked at
	c.expect("a 10.244.1.0/24", "b 10.244.0.0/24")
}

func TestNodeWaitsUntilARangeComesFree(t *testing.T) {
	c := newCluster(t, "a", "b", "c", "d")
	c.see("a", "b", "c", "c", "d")
	c.expect("a 10.244.0.0/24", "b 10.244.1.0/24", "c", "d")
	if n := len(c.events.Events); n != 2 {
		t.Errorf("%d events, want one for each that waits", n)
	}
	if event := <-c.events.Events; !strings.Contains(event, "CIDRNotAvailable") {
		t.Errorf("event %q", event)
	}
	c.remove("c") // what waits in vain gives nothing
	c.see("c")
	c.expect("a 10.244.0.0/24", "b 10.244.1.0/24", "d")
	c.remove("a")
	c.see("a")
	c.expect("b 10.244.1.0/24", "d 10.244.0.0/24")
}

func TestNodeThatReplacesItselfGetsARange(t *testing.T) {
	c := newCluster(t, "a", "b")
	c.see("a", "b")
	c.remove("a")
	if err := c.client.Create(t.Context(), node("a")); err != nil {
		t.Fatal(err)
	}
	c.see("a")
	c.expect("a 10.244.0.0/24", "b 10.244.1.0/24")
}

func TestWhoWaitsIsServedAfterAFailure(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.see("a", "b", "c")
	c.remove("b")
	c.refuse = errors.New("no")
	if _, err := c.Reconcile(t.Context(), loop.Request("", "b")); err == nil {
		t.Error("no error")
	}
	c.see("b")
	c.expect("a 10.244.0.0/24", "c 10.244.1.0/24")
}
