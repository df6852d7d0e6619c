package nodeipam

import (
	"net/netip"
	"testing"
)

func TestFree(t *testing.T) {
	for name, test := range map[string]struct {
		cluster  string
		reserved string
		bits     int
		taken    []string
		want     string
	}{
		"first":               {cluster: "10.244.0.0/16", bits: 24, want: "10.244.0.0/24"},
		"next":                {cluster: "10.244.0.0/16", bits: 24, taken: []string{"10.244.0.0/24"}, want: "10.244.1.0/24"},
		"a gap":               {cluster: "10.244.0.0/16", bits: 24, taken: []string{"10.244.0.0/24", "10.244.2.0/24"}, want: "10.244.1.0/24"},
		"another size before": {cluster: "10.244.0.0/16", bits: 24, taken: []string{"10.244.0.0/20"}, want: "10.244.16.0/24"},
		"a smaller one":       {cluster: "10.244.0.0/16", bits: 24, taken: []string{"10.244.0.128/25"}, want: "10.244.1.0/24"},
		"not the Services'":   {cluster: "10.0.0.0/8", reserved: "10.0.0.0/12", bits: 24, want: "10.16.0.0/24"},
		"none left":           {cluster: "10.244.0.0/23", bits: 24, taken: []string{"10.244.0.0/24", "10.244.1.0/24"}},
		"end of addresses":    {cluster: "255.255.255.0/24", bits: 24, taken: []string{"255.255.255.0/24"}},
		"IPv6":                {cluster: "fd00::/56", bits: 64, taken: []string{"fd00::/64"}, want: "fd00:0:0:1::/64"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ranges{cluster: netip.MustParsePrefix(test.cluster), bits: test.bits}
			if test.reserved != "" {
				r.reserved = netip.MustParsePrefix(test.reserved)
			}
			var taken []netip.Prefix
			for _, cidr := range test.taken {
				taken = append(taken, netip.MustParsePrefix(cidr))
			}
			got, ok := r.free(taken)
			if ok != (test.want != "") || ok && got != netip.MustParsePrefix(test.want) {
				t.Errorf("got %v, %v; want %q", got, ok, test.want)
			}
		})
	}
}
