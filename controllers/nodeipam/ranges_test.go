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
			var reserved netip.Prefix
			if test.reserved != "" {
				reserved = netip.MustParsePrefix(test.reserved)
			}
			r := newRanges(netip.MustParsePrefix(test.cluster), reserved, test.bits)
			for _, cidr := range test.taken {
				r.take(netip.MustParsePrefix(cidr))
			}
			got, ok := r.free()
			if ok != (test.want != "") || ok && got != netip.MustParsePrefix(test.want) {
				t.Errorf("got %v, %v; want %q", got, ok, test.want)
			}
		})
	}
}

func TestAllRangesAreGivenOnce(t *testing.T) {
	r := newRanges(netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.0.16.0/20"), 24)
	r.take(netip.MustParsePrefix("10.0.3.64/26"))
	given := map[netip.Prefix]bool{}
	for {
		free, ok := r.free()
		if !ok {
			break
		}
		if given[free] {
			t.Fatalf("%s is given twice", free)
		}
		given[free] = true
		r.take(free)
	}
	if len(given) != 256-16-1 {
		t.Errorf("%d ranges, want 239", len(given))
	}
	r.release(netip.MustParsePrefix("10.0.7.0/24"))
	if free, ok := r.free(); !ok || free.String() != "10.0.7.0/24" {
		t.Errorf("got %v, %v; want the one that came free", free, ok)
	}
}

// BenchmarkFree gives 1,000 Nodes their ranges.
func BenchmarkFree(b *testing.B) {
	for b.Loop() {
		r := newRanges(netip.MustParsePrefix("10.0.0.0/8"), netip.Prefix{}, 24)
		for range 1000 {
			free, _ := r.free()
			r.take(free)
		}
	}
}
