package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/kubelet/network/attachment"
)

func subnetOf(t *testing.T, cidr string) subnet {
	t.Helper()
	var s subnet
	if err := s.UnmarshalText([]byte(cidr)); err != nil {
		t.Fatal(err)
	}
	return s
}

func addrs(texts ...string) []netip.Addr {
	var list []netip.Addr
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

func TestAddressesAreGivenInTurn(t *testing.T) {
	p, s := pool{t.TempDir()}, []subnet{subnetOf(t, "10.1.0.0/29")} // .2 to .6
	for i, step := range []struct {
		owner   string
		release bool
		want    string // "" for none free
	}{
		{"a", false, "10.1.0.2"}, {"b", false, "10.1.0.3"},
		{"a", false, "10.1.0.2"}, // asked again
		{"b", true, ""},
		{"c", false, "10.1.0.4"}, // not the one just given back
		{"d", false, "10.1.0.5"}, {"e", false, "10.1.0.6"},
		{"f", false, "10.1.0.3"}, // around
		{"g", false, ""},
		{"c", true, ""}, {"c", true, ""},
		{"g", false, "10.1.0.4"},
	} {
		if step.release {
			if err := p.release(step.owner); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			continue
		}
		got, err := p.allocate(step.owner, s)
		if step.want == "" {
			if err == nil {
				t.Errorf("step %d: got %v where none is free", i, got)
			}
			continue
		}
		if err != nil || !slices.Equal(got, addrs(step.want)) {
			t.Errorf("step %d: got %v, %v, want %s", i, got, err, step.want)
		}
	}
	owners, err := p.owners()
	if err != nil || !slices.Equal(owners, []string{"a", "d", "e", "f", "g"}) {
		t.Errorf("owners are %v, %v", owners, err)
	}
}

func TestBothFamiliesOrNone(t *testing.T) {
	p := pool{t.TempDir()}
	both := []subnet{subnetOf(t, "10.1.0.0/24"), subnetOf(t, "fd00::/126")} // fd00::2 and fd00::3
	got, err := p.allocate("a", both)
	if err != nil || !slices.Equal(got, addrs("10.1.0.2", "fd00::2")) {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := p.allocate("b", both); err != nil {
		t.Fatal(err)
	}
	if got, err := p.allocate("c", both); err == nil {
		t.Fatalf("got %v of a full range", got)
	}
	if owners, _ := p.owners(); slices.Contains(owners, "c") {
		t.Error("c keeps one address of two")
	}
}

func TestManyAtOnceGetDifferentAddresses(t *testing.T) {
	p, s := pool{t.TempDir()}, []subnet{subnetOf(t, "10.1.0.0/24")}
	var wg sync.WaitGroup
	given := make([]netip.Addr, 100)
	for i := range given {
		wg.Go(func() {
			got, err := p.allocate(fmt.Sprint(i), s)
			if err != nil {
				t.Error(err)
				return
			}
			given[i] = got[0]
		})
	}
	await.Return(t, "all have their addresses", wg.Wait)
	slices.SortFunc(given, netip.Addr.Compare)
	if n := len(slices.Compact(given)); n != 100 {
		t.Errorf("100 owners have %d addresses", n)
	}
}

func TestRubbishInThePoolIsIgnored(t *testing.T) {
	p, s := pool{t.TempDir()}, []subnet{subnetOf(t, "10.1.0.0/24")}
	if err := os.WriteFile(filepath.Join(p.dir, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("rubbish", filepath.Join(p.dir, last+"10.1.0.0")); err != nil {
		t.Fatal(err)
	}
	if got, err := p.allocate("a", s); err != nil || got[0] != addrs("10.1.0.2")[0] {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestSubnets(t *testing.T) {
	for cidr, want := range map[string][3]string{ // gateway, last address, what follows it
		"10.244.0.0/24":    {"10.244.0.1", "10.244.0.254", "10.244.0.2"},
		"10.244.0.77/24":   {"10.244.0.1", "10.244.0.254", "10.244.0.2"},
		"10.244.0.4/30":    {"10.244.0.5", "10.244.0.6", "10.244.0.6"},
		"fd00:10:244::/64": {"fd00:10:244::1", "fd00:10:244::ffff:ffff:ffff:ffff", "fd00:10:244::2"},
	} {
		s := subnetOf(t, cidr)
		end := netip.MustParseAddr(want[1])
		if s.gateway().String() != want[0] || !s.usable(end) || s.after(end).String() != want[2] {
			t.Errorf("%s: gateway %s, %s usable %v, followed by %s", cidr, s.gateway(), end, s.usable(end), s.after(end))
		}
		if s.usable(s.gateway()) || s.usable(s.Addr()) || s.usable(end.Next()) {
			t.Errorf("%s gives away its gateway, its own address or one that isn't its", cidr)
		}
	}
	for _, cidr := range []string{"10.0.0.0/31", "10.0.0.1/32", "10.0.0.0", "fd00::/127", ""} {
		var s subnet
		if err := s.UnmarshalText([]byte(cidr)); err == nil {
			t.Errorf("%q is taken for a range", cidr)
		}
	}
}

func TestHardwareAddressFollowsFromAddress(t *testing.T) {
	if got := hardwareAddr(netip.MustParseAddr("10.244.1.17")).String(); got != "0a:58:0a:f4:01:11" {
		t.Error(got)
	}
	if name := attachment.HostLink(attachment.Name("0123456789abcdef", "eth0")); len(name) > 15 {
		t.Errorf("%s is too long for a link", name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"cniVersion":"1.0.0","name":"n","type":"coracle-net","bridge":"b","subnets":["10.1.0.0/24"],"dataDir":"/d"}`))
	f.Add([]byte(`{"subnets":["::/0"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parse(data)
		if err != nil {
			return
		}
		for _, s := range c.Subnets {
			if !s.usable(s.after(s.gateway())) {
				t.Errorf("%s has no usable address", s)
			}
		}
	})
}
