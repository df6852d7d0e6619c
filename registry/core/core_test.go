package core

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/apis/scheme"
	"github.com/coracle-k8s/coracle/registry/core/address"
)

func TestEveryResourceRegisters(t *testing.T) {
	s, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := address.New(address.Config{
		ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")},
		NodePorts:    address.PortRange{First: 30000, Size: 2768},
		IPs:          address.Objects(fake.NewClientset().NetworkingV1(), nil, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	group := New(Config{Addresses: addresses})
	for _, d := range group.Resources() {
		if err := d.Register(s.Scheme); err != nil {
			t.Error(err)
		}
	}
	if n := len(group.Endpoints()[corev1.SchemeGroupVersion]); n != 2 {
		t.Errorf("%d endpoints without objects, want 2", n)
	}
}
