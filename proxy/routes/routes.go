// Package routes keeps what is meant for the cluster from leaving by the
// default route.
package routes

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// protocol marks our routes, so that they are found again. Numbers from 128
// up are for whoever wants one.
const protocol = 201

// metric makes any other route to the same addresses win.
const metric = 1 << 30

// Ensure adds the routes of a node. It is idempotent.
//
// Pods that no route leads to are unreachable. Services' addresses lead to the
// loopback device, which no packet ever reaches: by then it has its real
// destination or was rejected. But local programs need some route to begin
// with, even on a machine without a default one. The address of the node's own
// DNS server, if valid, is one of the machine's, where the server listens.
func Ensure(clusterCIDR, serviceCIDR netip.Prefix, dns netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback device: %w", err)
	}
	if clusterCIDR.IsValid() {
		if err := add(clusterCIDR, netlink.Route{Type: unix.RTN_UNREACHABLE}); err != nil {
			return err
		}
	}
	if dns.IsValid() {
		if err := hold(lo, dns); err != nil {
			return err
		}
	}
	if serviceCIDR.IsValid() {
		return add(serviceCIDR, netlink.Route{LinkIndex: lo.Attrs().Index, Scope: netlink.SCOPE_LINK})
	}
	return nil
}

func add(prefix netip.Prefix, route netlink.Route) error {
	route.Dst, route.Protocol, route.Priority = ipNet(prefix), protocol, metric
	if err := netlink.RouteReplace(&route); err != nil {
		return fmt.Errorf("adding a route for %s: %w", prefix, err)
	}
	return nil
}

// label marks our addresses, so that they are found again: of each link there may be some by other names, which begin with its own.
const label = "lo:coracle"

// hold gives the machine an address, for no other machine to use as a source or to ask for.
func hold(lo netlink.Link, address netip.Addr) error {
	held, err := ours(lo)
	if err != nil {
		return err
	}
	want := netlink.Addr{IPNet: ipNet(netip.PrefixFrom(address, address.BitLen())), Scope: unix.RT_SCOPE_HOST, Label: label}
	if address.Is6() {
		want.Label = ""
	}
	there := false
	for i := range held {
		if held[i].IP.Equal(want.IP) {
			there = true
		} else if err := netlink.AddrDel(lo, &held[i]); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("removing address %s: %w", held[i].IPNet, err)
		}
	}
	if there {
		return nil
	}
	if err := netlink.AddrReplace(lo, &want); err != nil {
		return fmt.Errorf("adding address %s: %w", address, err)
	}
	return nil
}

func ours(lo netlink.Link) ([]netlink.Addr, error) {
	all, err := netlink.AddrList(lo, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	return slices.DeleteFunc(all, func(a netlink.Addr) bool { return a.Label != label }), nil
}

// Cleanup removes all our routes and addresses, of this process or one before.
func Cleanup() error {
	return errors.Join(cleanAddresses(), cleanRoutes())
}

func cleanAddresses() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback device: %w", err)
	}
	held, err := ours(lo)
	if err != nil {
		return err
	}
	for i := range held {
		if err := netlink.AddrDel(lo, &held[i]); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("removing address %s: %w", held[i].IPNet, err)
		}
	}
	return nil
}

func cleanRoutes() error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		ours, err := netlink.RouteListFiltered(family, &netlink.Route{Protocol: protocol, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		if err != nil {
			return fmt.Errorf("listing routes: %w", err)
		}
		for i := range ours {
			if err := netlink.RouteDel(&ours[i]); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("removing the route for %s: %w", ours[i].Dst, err)
			}
		}
	}
	return nil
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	prefix = prefix.Masked()
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}
