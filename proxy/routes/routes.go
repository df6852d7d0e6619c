// Package routes keeps what is meant for the cluster from leaving by the
// default route.
package routes

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

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
// with, even on a machine without a default one.
func Ensure(clusterCIDR, serviceCIDR netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback device: %w", err)
	}
	if clusterCIDR.IsValid() {
		if err := add(clusterCIDR, netlink.Route{Type: unix.RTN_UNREACHABLE}); err != nil {
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

// Cleanup removes all our routes, of this process or one before.
func Cleanup() error {
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
