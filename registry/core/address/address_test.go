package address

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/apis/core"
)

// ipsInMemory are recorded here, as IPAddress objects would.
type ipsInMemory struct {
	mu    sync.Mutex
	owner map[netip.Addr]string
	cidrs []netip.Prefix
	blind bool // nothing is known to be taken before it is claimed
}

func (m *ipsInMemory) Claim(_ context.Context, ip netip.Addr, s *corev1.Service) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.owner[ip]; taken {
		return ErrTaken
	}
	m.owner[ip] = s.Name
	return nil
}

func (m *ipsInMemory) Free(_ context.Context, ip netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.owner, ip)
}

func (m *ipsInMemory) Taken(ip netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, taken := m.owner[ip]
	return taken && !m.blind
}

func (m *ipsInMemory) CIDRs() []netip.Prefix { return m.cidrs }

func newAllocator(t *testing.T, ports PortRange, cidrs ...string) (*Allocator, *ipsInMemory) {
	t.Helper()
	ips := &ipsInMemory{owner: map[netip.Addr]string{}}
	c := Config{NodePorts: ports, IPs: ips}
	for _, text := range cidrs {
		c.ServiceCIDRs = append(c.ServiceCIDRs, netip.MustParsePrefix(text))
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a, ips
}

var manyPorts = PortRange{First: 30000, Size: 2768}

func newService(name string, change func(*corev1.ServiceSpec)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	if change != nil {
		change(&s.Spec)
	}
	core.DefaultService(s)
	return s
}

func create(t *testing.T, a *Allocator, s *corev1.Service) {
	t.Helper()
	finish, err := a.Create(t.Context(), s, false)
	if err != nil {
		t.Fatal(err)
	}
	finish(t.Context(), true)
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"no CIDR":             {NodePorts: manyPorts},
		"two of a family":     {NodePorts: manyPorts, ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.1.0/24")}},
		"no ports":            {ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
		"ports beyond 65535":  {NodePorts: PortRange{65000, 1000}, ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
		"ports of 0 and more": {NodePorts: PortRange{0, 1000}, ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		cidr, first, last string
		size, reserved    uint64
	}{
		{"10.96.0.0/16", "10.96.0.1", "10.96.255.254", 65534, 256},
		{"10.96.0.7/24", "10.96.0.1", "10.96.0.254", 254, 16},
		{"10.0.0.0/28", "10.0.0.1", "10.0.0.14", 14, 0},
		{"10.0.0.0/30", "10.0.0.1", "10.0.0.2", 2, 0},
		{"10.0.255.0/23", "10.0.254.1", "10.0.255.254", 510, 31},
		{"fd00::/120", "fd00::1", "fd00::ff", 255, 16},
		{"fd00::/112", "fd00::1", "fd00::ffff", 65535, 256},
	} {
		r := rangeOf(netip.MustParsePrefix(c.cidr))
		if r.first.String() != c.first || r.last.String() != c.last || r.size != c.size || r.reserved != c.reserved {
			t.Errorf("%s: got %s to %s, size %d, reserved %d, want %+v", c.cidr, r.first, r.last, r.size, r.reserved, c)
		}
		if at := r.at(r.size - 1); at != r.last {
			t.Errorf("%s: the last is at %s, want %s", c.cidr, at, r.last)
		}
	}
}

func TestAddresses(t *testing.T) {
	a, ips := newAllocator(t, manyPorts, "10.0.0.0/28")
	create(t, a, newService("first", func(s *corev1.ServiceSpec) { s.ClusterIP, s.ClusterIPs = "10.0.0.3", []string{"10.0.0.3"} }))
	if ips.owner[netip.MustParseAddr("10.0.0.3")] != "first" {
		t.Errorf("the wanted address was not taken: %v", ips.owner)
	}
	for ip, want := range map[string]string{
		"10.0.0.3":  "already allocated",
		"10.0.1.3":  "does not match the current range",
		"10.0.0.15": "not in the valid range",
		"10.0.0.0":  "not in the valid range",
	} {
		_, err := a.Create(t.Context(), newService("other", func(s *corev1.ServiceSpec) { s.ClusterIP, s.ClusterIPs = ip, []string{ip} }), false)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", ip, err, want)
		}
	}
	ips.blind = true // as if other servers took them, and this one has not heard
	for range 13 {
		create(t, a, newService("more", nil))
	}
	if _, err := a.Create(t.Context(), newService("too many", nil), false); !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "range is full") {
		t.Errorf("got %v, want that the range is full", err)
	}
	ips.cidrs = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/28")}
	create(t, a, newService("elsewhere", nil))
	if len(ips.owner) != 15 {
		t.Errorf("%d addresses are taken, want 15", len(ips.owner))
	}
}

func TestHighAddressesComeFirst(t *testing.T) {
	a, _ := newAllocator(t, manyPorts, "10.0.0.0/24")
	for i := range 254 {
		s := newService("s", nil)
		create(t, a, s)
		if low := netip.MustParseAddr(s.Spec.ClusterIP).Compare(netip.MustParseAddr("10.0.0.16")) <= 0; low != (i >= 254-16) {
			t.Fatalf("address %d is %s", i, s.Spec.ClusterIP)
		}
	}
}

func TestDualStack(t *testing.T) {
	a, ips := newAllocator(t, manyPorts, "10.0.0.0/24", "fd00::/112")
	dual := corev1.IPFamilyPolicyRequireDualStack
	s := newService("s", func(s *corev1.ServiceSpec) { s.IPFamilyPolicy = &dual })
	create(t, a, s)
	if len(s.Spec.ClusterIPs) != 2 || s.Spec.ClusterIPs[0] != s.Spec.ClusterIP || len(ips.owner) != 2 {
		t.Fatalf("got %+v", s.Spec)
	}
	single := corev1.IPFamilyPolicySingleStack
	old := s.DeepCopy()
	s.Spec.IPFamilyPolicy, s.Spec.ClusterIPs, s.Spec.IPFamilies = &single, s.Spec.ClusterIPs[:1], s.Spec.IPFamilies[:1]
	finish, err := a.Update(t.Context(), s, old, false)
	if err != nil {
		t.Fatal(err)
	}
	if finish(t.Context(), true); len(ips.owner) != 1 {
		t.Errorf("taken are %v, want one address", ips.owner)
	}
}

func TestFailedWritesGiveBack(t *testing.T) {
	a, ips := newAllocator(t, PortRange{30000, 2}, "10.0.0.0/24")
	finish, err := a.Create(t.Context(), newService("s", func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeNodePort }), false)
	if err != nil {
		t.Fatal(err)
	}
	finish(t.Context(), false)
	expectTaken(t, a)
	if len(ips.owner) != 0 {
		t.Errorf("still taken: %v", ips.owner)
	}
	// An address that was taken before the ports ran out is given back, too.
	_, err = a.Create(t.Context(), newService("s", func(s *corev1.ServiceSpec) {
		s.Type, s.Ports = corev1.ServiceTypeNodePort, []corev1.ServicePort{{Port: 1}, {Port: 2}, {Port: 3}}
	}), false)
	if err == nil || len(ips.owner) != 0 {
		t.Errorf("got %v, taken are %v", err, ips.owner)
	}
	expectTaken(t, a)
}

func TestDryRunTakesNothing(t *testing.T) {
	a, ips := newAllocator(t, manyPorts, "10.0.0.0/24")
	s := newService("s", func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeNodePort })
	finish, err := a.Create(t.Context(), s, true)
	if err != nil || finish != nil {
		t.Fatalf("got %v and a finish", err)
	}
	if s.Spec.ClusterIP != "10.0.0.0" || s.Spec.Ports[0].NodePort == 0 || len(ips.owner) != 0 {
		t.Errorf("got %+v, taken are %v", s.Spec, ips.owner)
	}
	expectTaken(t, a)
}

func TestChangesOfType(t *testing.T) {
	a, ips := newAllocator(t, manyPorts, "10.0.0.0/24")
	s := newService("s", nil)
	create(t, a, s)
	change := func(change func(*corev1.ServiceSpec)) {
		t.Helper()
		old := s
		s = s.DeepCopy()
		change(&s.Spec)
		finish, err := a.Update(t.Context(), s, old, false)
		if err != nil {
			t.Fatal(err)
		}
		finish(t.Context(), true)
	}
	change(func(s *corev1.ServiceSpec) { s.Type, s.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30007 })
	expectTaken(t, a, 30007)
	change(func(s *corev1.ServiceSpec) { s.Ports[0].NodePort = 30008 })
	expectTaken(t, a, 30008)
	change(func(s *corev1.ServiceSpec) { s.Type, s.Ports[0].NodePort = corev1.ServiceTypeClusterIP, 0 })
	expectTaken(t, a)
	if len(ips.owner) != 1 {
		t.Errorf("taken are %v, want one address", ips.owner)
	}
	change(func(s *corev1.ServiceSpec) {
		*s = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "example.com"}
	})
	if len(ips.owner) != 0 {
		t.Errorf("taken are %v, want none", ips.owner)
	}
	change(func(s *corev1.ServiceSpec) {
		s.Type, s.ExternalName, s.Ports = corev1.ServiceTypeNodePort, "", []corev1.ServicePort{{Port: 80}}
	})
	a.Release(t.Context(), s)
	expectTaken(t, a)
	if len(ips.owner) != 0 {
		t.Errorf("taken are %v after the end, want none", ips.owner)
	}
}

func TestIPAddressObjects(t *testing.T) {
	client := fake.NewClientset().NetworkingV1()
	ips, s, ip := Objects(client, nil, nil), newService("s", nil), netip.MustParseAddr("fd00::5")
	if err := ips.Claim(t.Context(), ip, s); err != nil {
		t.Fatal(err)
	}
	if err := ips.Claim(t.Context(), ip, s); !errors.Is(err, ErrTaken) {
		t.Errorf("got %v, want %v", err, ErrTaken)
	}
	o, err := client.IPAddresses().Get(t.Context(), "fd00::5", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ref := o.Spec.ParentRef; ref.Resource != "services" || ref.Namespace != "ns" || ref.Name != "s" {
		t.Errorf("the parent is %+v", ref)
	}
	if o.Labels["ipaddress.kubernetes.io/ip-family"] != "IPv6" || o.Labels["ipaddress.kubernetes.io/managed-by"] != "ipallocator.k8s.io" {
		t.Errorf("the labels are %v", o.Labels)
	}
	ips.Free(t.Context(), ip)
	if err := ips.Claim(t.Context(), ip, s); err != nil {
		t.Errorf("not free again: %v", err)
	}
}

func expectTaken(t *testing.T, a *Allocator, want ...int32) {
	t.Helper()
	record, err := a.config.Ports.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := takenIn(bitmapOf(record, a.config.NodePorts)); !slices.Equal(got, want) {
		t.Errorf("ports %d are taken, want %d", got, want)
	}
}

func takenIn(b *bitmap) (all []int32) {
	for port := b.within.First; port < b.within.First+b.within.Size; port++ {
		if b.taken(port) {
			all = append(all, port)
		}
	}
	return all
}
