package network

import (
	"net/netip"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// node makes a machine of texts: addresses first, then ranges.
func node(name string, texts ...string) machine {
	m := machine{name: name}
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			m.addresses = append(m.addresses, a)
			continue
		}
		m.ranges = append(m.ranges, netip.MustParsePrefix(text))
	}
	return m
}

func TestDecide(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	self := node("self", "10.0.1.1", "10.244.0.0/24")
	dual := node("self", "10.0.1.1", "fd01::1", "10.244.0.0/24", "fd00:0::/64")
	near, far := path{shared: true, link: 2, mtu: 1500, source: addr("10.0.1.1")}, path{link: 2, mtu: 1500, source: addr("10.0.1.1")}
	paths := map[string]path{
		"10.0.1.2": near, "10.0.1.3": near, "10.0.2.1": far, "10.0.2.2": far,
		"10.0.3.1":  {link: 3, mtu: 1400, source: addr("10.0.1.1")},
		"10.0.4.1":  {shared: true, link: 4, mtu: 1500, source: addr("10.0.4.9")},
		"10.0.66.1": {},
		"fd01::2":   {shared: true, link: 2, mtu: 1500, source: addr("fd01::1")},
		"fd02::1":   {link: 2, mtu: 1500, source: addr("fd01::1")},
	}
	tunnelTo := func(mtu int, peers ...peer) *tunnel {
		return &tunnel{local: addr("10.0.1.1"), mtu: mtu, addresses: []netip.Addr{addr("10.244.0.1")}, peers: peers}
	}
	for _, test := range []struct {
		name   string
		self   machine
		others []machine
		want   plan
	}{
		{"alone", self, []machine{self}, plan{}},
		{"a shared link", self, []machine{self, node("b", "10.0.1.2", "10.244.1.0/24")},
			plan{routes: []route{{prefix("10.244.1.0/24"), addr("10.0.1.2"), 2}}}},
		{"behind a router", self, []machine{node("b", "10.0.2.1", "10.244.1.0/24")},
			plan{[]route{{prefix("10.244.1.0/24"), addr("10.244.1.1"), 0}}, tunnelTo(1450, peer{addr("10.0.2.1"), []netip.Addr{addr("10.244.1.1")}})}},
		{"both, in the order of names", self, []machine{node("c", "10.0.2.1", "10.244.2.0/24"), node("b", "10.0.1.2", "10.244.1.0/24")},
			plan{[]route{{prefix("10.244.1.0/24"), addr("10.0.1.2"), 2}, {prefix("10.244.2.0/24"), addr("10.244.2.1"), 0}},
				tunnelTo(1450, peer{addr("10.0.2.1"), []netip.Addr{addr("10.244.2.1")}})}},
		{"the narrowest link decides what fits", self, []machine{node("b", "10.0.2.1", "10.244.1.0/24"), node("c", "10.0.3.1", "10.244.2.0/24"), node("d", "10.0.2.2", "10.244.3.0/24")},
			plan{[]route{{prefix("10.244.1.0/24"), addr("10.244.1.1"), 0}, {prefix("10.244.2.0/24"), addr("10.244.2.1"), 0}, {prefix("10.244.3.0/24"), addr("10.244.3.1"), 0}},
				tunnelTo(1350, peer{addr("10.0.2.1"), []netip.Addr{addr("10.244.1.1")}}, peer{addr("10.0.3.1"), []netip.Addr{addr("10.244.2.1")}}, peer{addr("10.0.2.2"), []netip.Addr{addr("10.244.3.1")}})}},
		{"a shared link by which others do not know this machine", self, []machine{node("b", "10.0.4.1", "10.244.1.0/24")},
			plan{[]route{{prefix("10.244.1.0/24"), addr("10.244.1.1"), 0}}, tunnelTo(1450, peer{addr("10.0.4.1"), []netip.Addr{addr("10.244.1.1")}})}},
		{"no way", self, []machine{node("b", "10.0.66.1", "10.244.1.0/24")}, plan{}},
		{"not known yet", self, []machine{node("b", "10.0.1.2"), node("c", "10.244.1.0/24"), node("d")}, plan{}},
		{"a Node that had this machine's address", self, []machine{node("before", "10.0.1.1", "10.244.1.0/24")}, plan{}},
		{"a range that is given twice", self, []machine{node("b", "10.0.1.2", "10.244.1.0/24"), node("c", "10.0.1.3", "10.244.1.0/24"), node("d", "10.0.1.3", "10.244.0.0/24")},
			plan{routes: []route{{prefix("10.244.1.0/24"), addr("10.0.1.2"), 2}}}},
		{"both families on a link", dual, []machine{node("b", "10.0.1.2", "fd01::2", "10.244.1.0/24", "fd00:1::/64")},
			plan{routes: []route{{prefix("10.244.1.0/24"), addr("10.0.1.2"), 2}, {prefix("fd00:1::/64"), addr("fd01::2"), 2}}}},
		{"both families through one tunnel", dual, []machine{node("b", "10.0.2.1", "fd02::1", "10.244.1.0/24", "fd00:1::/64")},
			plan{[]route{{prefix("10.244.1.0/24"), addr("10.244.1.1"), 0}, {prefix("fd00:1::/64"), addr("fd00:1::1"), 0}}, &tunnel{
				local: addr("10.0.1.1"), mtu: 1450, addresses: []netip.Addr{addr("10.244.0.1"), addr("fd00::1")},
				peers: []peer{{addr("10.0.2.1"), []netip.Addr{addr("10.244.1.1"), addr("fd00:1::1")}}},
			}}},
		{"IPv6 only", node("self", "fd01::1", "fd00:0::/64"), []machine{node("b", "fd02::1", "fd00:1::/64")},
			plan{[]route{{prefix("fd00:1::/64"), addr("fd00:1::1"), 0}}, &tunnel{
				local: addr("fd01::1"), mtu: 1430, addresses: []netip.Addr{addr("fd00::1")},
				peers: []peer{{addr("fd02::1"), []netip.Addr{addr("fd00:1::1")}}},
			}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decide(test.self, test.others, func(a netip.Addr) path { return paths[a.String()] })
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v %+v\nwant %+v %+v", got.routes, got.tunnel, test.want.routes, test.want.tunnel)
			}
		})
	}
}

func TestMachineOf(t *testing.T) {
	got := machineOf(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n"},
		Spec:       corev1.NodeSpec{PodCIDR: "10.244.1.0/24", PodCIDRs: []string{"10.244.1.0/24", "fd00:1::/64"}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "10.0.0.9"}, {Type: corev1.NodeExternalIP, Address: "192.0.2.1"},
			{Type: corev1.NodeInternalIP, Address: "10.0.1.1"}, {Type: corev1.NodeInternalIP, Address: "fd01::1"},
		}},
	})
	if want := node("n", "10.0.1.1", "fd01::1", "10.244.1.0/24", "fd00:1::/64"); !got.equal(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, other := range []machine{node("m", "10.0.1.1"), node("n", "10.0.1.2"), node("n", "10.0.1.1", "10.244.1.0/24")} {
		if other.equal(node("n", "10.0.1.1")) {
			t.Errorf("%+v is taken for another", other)
		}
	}
}

func TestHardwareAddressesAreOneMachinesOwn(t *testing.T) {
	seen := map[string]netip.Addr{}
	var all []netip.Addr
	for a, b, i := netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("fd00::"), 0; i < 5000; a, b, i = a.Next(), b.Next(), i+1 {
		all = append(all, a, b)
	}
	for _, a := range all {
		h := hardwareAddr(a)
		if h[0]&3 != 2 {
			t.Fatalf("%s is not a locally administered address of one machine", h)
		}
		if other, taken := seen[h.String()]; taken {
			t.Fatalf("%s and %s have the same hardware address", a, other)
		}
		seen[h.String()] = a
	}
}
