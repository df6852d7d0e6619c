package agent

import (
	"net/netip"
	"testing"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

func TestNoMachineHasAnAddressOfPodsOrServices(t *testing.T) {
	c := bootstrap.Cluster{PodCIDR: netip.MustParsePrefix("10.244.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16")}
	for _, test := range []struct {
		machine, server string
		good            bool
	}{
		{"192.0.2.7", "https://192.0.2.1:6443", true},
		{"192.0.2.7", "https://k8s.example:6443", true},
		{"192.0.2.7", "https://[2001:db8::1]:6443", true},
		{"10.244.3.4", "https://192.0.2.1:6443", false},
		{"192.0.2.7", "https://10.244.3.4:6443", false},
		{"192.0.2.7", "https://10.96.0.1:443", false},
	} {
		if err := outside(c, test.machine, test.server); (err == nil) != test.good {
			t.Errorf("%s, server %s: %v", test.machine, test.server, err)
		}
	}
}
