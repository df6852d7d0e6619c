package discovery

import (
	"context"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSlicesInTables(t *testing.T) {
	s := &slice{
		Ports:     []discoveryv1.EndpointPort{{Port: new(int32(80))}, {Name: new("any")}, {}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"1", "2"}}, {Addresses: []string{"3", "4"}}, {Addresses: []string{"5"}}},
	}
	if got, want := ports(s), "80,any,*"; got != want {
		t.Errorf("ports are %q, want %q", got, want)
	}
	if got, want := endpoints(s), "1,2,3 + 2 more..."; got != want {
		t.Errorf("endpoints are %q, want %q", got, want)
	}
	if got, want := endpoints(&slice{}), "<unset>"; got != want {
		t.Errorf("endpoints are %q, want %q", got, want)
	}
}

func TestOddAddressesAreToldOf(t *testing.T) {
	s := &slice{AddressType: discoveryv1.AddressTypeIPv6, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"2001:db8:0:0::1"}}}}
	if got := warnings(context.Background(), s, nil); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	s.ObjectMeta = metav1.ObjectMeta{Labels: map[string]string{discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}}
	if got := warnings(context.Background(), s, nil); got != nil {
		t.Errorf("the controller is told %q", got)
	}
}
