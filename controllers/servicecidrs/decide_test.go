package servicecidrs

import (
	"net/netip"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func cidr(name string, cidrs ...string) networkingv1.ServiceCIDR {
	return networkingv1.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: cidrs}}
}

func TestRangeIsNeededForAddressesThatNoOtherHas(t *testing.T) {
	going := cidr("going", "10.1.0.0/24", "fd00:1::/112")
	for name, test := range map[string]struct {
		others []networkingv1.ServiceCIDR
		ips    []string
		want   bool
	}{
		"no addresses":                        {nil, nil, false},
		"an address":                          {nil, []string{"10.1.0.7"}, true},
		"one of the other family":             {nil, []string{"fd00:1::7"}, true},
		"one of another range":                {[]networkingv1.ServiceCIDR{cidr("kubernetes", "10.96.0.0/16")}, []string{"10.96.0.1"}, false},
		"covered by a larger range":           {[]networkingv1.ServiceCIDR{cidr("large", "10.0.0.0/8")}, []string{"10.1.0.7"}, false},
		"covered by its equal":                {[]networkingv1.ServiceCIDR{cidr("equal", "10.1.0.0/24")}, []string{"10.1.0.7"}, false},
		"in a smaller range":                  {[]networkingv1.ServiceCIDR{cidr("small", "10.1.0.0/28")}, []string{"10.1.0.7"}, false},
		"beside a smaller range":              {[]networkingv1.ServiceCIDR{cidr("small", "10.1.0.0/28")}, []string{"10.1.0.77"}, true},
		"on a smaller range's last address":   {[]networkingv1.ServiceCIDR{cidr("small", "10.1.0.0/28")}, []string{"10.1.0.15"}, true},
		"one family covered, the other not":   {[]networkingv1.ServiceCIDR{cidr("large", "10.0.0.0/8")}, []string{"10.1.0.7", "fd00:1::7"}, true},
		"an address that is no Service's own": {nil, []string{"!10.1.0.7"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var ips []networkingv1.IPAddress
			for _, ip := range test.ips {
				manager := allocator
				if ip[0] == '!' {
					manager, ip = "me", ip[1:]
				}
				ips = append(ips, networkingv1.IPAddress{ObjectMeta: metav1.ObjectMeta{Name: ip, Labels: map[string]string{networkingv1.LabelManagedBy: manager}}})
			}
			if got := needed(&going, append(test.others, going), ips); got != test.want {
				t.Errorf("needed: %v, want %v", got, test.want)
			}
		})
	}
}

func TestRangesHandOutNeitherTheirOwnNorTheLastAddress(t *testing.T) {
	for _, test := range []struct {
		prefix, address string
		want            bool
	}{
		{"10.1.0.0/24", "10.1.0.0", false},
		{"10.1.0.0/24", "10.1.0.1", true},
		{"10.1.0.0/24", "10.1.0.254", true},
		{"10.1.0.0/24", "10.1.0.255", false},
		{"10.1.0.0/24", "10.1.1.1", false},
		{"0.0.0.0/0", "10.1.0.255", true},
		{"fd00::/120", "fd00::", false},
		{"fd00::/120", "fd00::ff", true},
	} {
		if got := handsOut(netip.MustParsePrefix(test.prefix), netip.MustParseAddr(test.address)); got != test.want {
			t.Errorf("%s hands out %s: %v, want %v", test.prefix, test.address, got, test.want)
		}
	}
}
