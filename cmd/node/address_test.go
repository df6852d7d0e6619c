package node

import (
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// TestAddressWithoutARouteIsNotLoopbacks checks that a machine without a default route is not known by the address of cluster DNS.
func TestAddressWithoutARouteIsNotLoopbacks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "far"}))
	for name, address := range map[string]string{"lo": "10.96.0.10/32", "eth0": "192.0.2.7/24"} {
		link, err := netlink.LinkByName(name)
		must(err)
		parsed, err := netlink.ParseAddr(address)
		must(err)
		must(netlink.AddrAdd(link, parsed))
		must(netlink.LinkSetUp(link))
	}
	if got, err := AddressToward("198.51.100.1"); err != nil || got != "192.0.2.7" {
		t.Errorf("the address is %q, want that of eth0: %v", got, err)
	}
}
