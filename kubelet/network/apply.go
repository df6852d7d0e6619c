package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// protocol marks our routes, so that they are found again. Numbers from 128 up are for whoever wants one.
	protocol = 202
	// metric makes anybody else's route to the same addresses win.
	metric = 1 << 29
)

// finder finds paths, and knows all links that it has met.
type finder struct {
	links map[int]netlink.Link
	// never is set where no link counts as shared.
	never bool
}

// path asks the kernel for the path to an address; there may be none.
func (f *finder) path(to netip.Addr) path {
	routes, err := netlink.RouteGet(to.AsSlice())
	if err != nil || len(routes) == 0 {
		return path{}
	}
	r := routes[0]
	link, known := f.links[r.LinkIndex]
	if !known {
		if link, err = netlink.LinkByIndex(r.LinkIndex); err != nil {
			return path{}
		}
		f.links[r.LinkIndex] = link
	}
	source, _ := netip.AddrFromSlice(r.Src)
	flags := link.Attrs().RawFlags
	return path{
		// A link without hardware addresses, such as another tunnel, chooses the far end by the packet's own destination.
		shared: !f.never && r.Gw == nil && r.Via == nil && flags&unix.IFF_BROADCAST != 0 && flags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) == 0,
		link:   r.LinkIndex, mtu: link.Attrs().MTU, source: source.Unmap(),
	}
}

// apply makes the kernel match the plan; only what differs is changed. What cannot be done does not keep back the rest. index is the
// tunnel's link, 0 where there is none.
func (p plan) apply(port int) (index int, err error) {
	index, err = p.tunnel.apply(port)
	if err != nil {
		err = fmt.Errorf("making the tunnel to other nodes: %w", err)
	}
	return index, errors.Join(err, p.applyRoutes(index))
}

// applyRoutes makes our routes those of the plan. index is the tunnel's link, 0 where there is none.
func (p plan) applyRoutes(index int) error {
	wanted := map[netip.Prefix]route{}
	for _, r := range p.routes {
		if r.link == 0 {
			r.link = index
		}
		if r.link != 0 {
			wanted[r.to] = r
		}
	}
	ours, err := listRoutes()
	if err != nil {
		return err
	}
	var errs []error
	for i := range ours {
		to := prefixOf(ours[i].Dst)
		want, ok := wanted[to]
		switch {
		case !ok:
			if err := gone(netlink.RouteDel(&ours[i])); err != nil {
				errs = append(errs, fmt.Errorf("removing the route to %s: %w", to, err))
			}
		case want.is(ours[i]):
			delete(wanted, to)
		}
	}
	for to, r := range wanted {
		if err := netlink.RouteReplace(r.kernel()); err != nil {
			errs = append(errs, fmt.Errorf("adding the route to %s: %w", to, err))
		}
	}
	return errors.Join(errs...)
}

func listRoutes() ([]netlink.Route, error) {
	var all []netlink.Route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		ours, err := netlink.RouteListFiltered(family, &netlink.Route{Protocol: protocol, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		if err != nil {
			return nil, fmt.Errorf("listing routes: %w", err)
		}
		all = append(all, ours...)
	}
	return all, nil
}

// kernel is the route as the kernel is given it.
func (r route) kernel() *netlink.Route {
	return &netlink.Route{
		Dst: ipNet(r.to), Gw: r.via.AsSlice(), LinkIndex: r.link, Protocol: protocol, Priority: metric, Flags: unix.RTNH_F_ONLINK,
	}
}

// is says whether the kernel's route is this one.
func (r route) is(k netlink.Route) bool {
	return k.LinkIndex == r.link && k.Gw.Equal(r.via.AsSlice()) && k.Priority == metric && k.Flags&unix.RTNH_F_DEAD == 0
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	address, _ := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(address.Unmap(), ones)
}
