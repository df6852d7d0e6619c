package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/containernetworking/cni/pkg/skel"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/kubelet/network/attachment"
)

// connect makes the bridge if it is missing and the container's link to it.
func connect(c *config, args *skel.CmdArgs, addresses []netip.Addr) (*current.Result, error) {
	bridge, err := ensureBridge(c)
	if err != nil {
		return nil, fmt.Errorf("making bridge %s: %w", c.Bridge, err)
	}
	ns, err := netns.GetFromPath(args.Netns)
	if err != nil {
		return nil, fmt.Errorf("opening network namespace %s: %w", args.Netns, err)
	}
	defer ns.Close()
	name := attachment.HostLink(attachment.Name(args.ContainerID, args.IfName))
	mac := hardwareAddr(addresses[0])
	if err := join(bridge, name, ns, args.IfName, mac, c.MTU); err != nil {
		return nil, fmt.Errorf("joining %s to bridge %s: %w", name, c.Bridge, err)
	}
	if err := configure(c, ns, args.IfName, addresses); err != nil {
		return nil, fmt.Errorf("configuring %s: %w", args.IfName, err)
	}
	return describe(c, args, bridge, name, mac, addresses), nil
}

// ensureBridge returns the bridge, made and configured where it was not.
func ensureBridge(c *config) (netlink.Link, error) {
	link, err := netlink.LinkByName(c.Bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = c.Bridge, c.MTU
		// A bridge without an address of its own takes one of its ports', and changes it as they come and go.
		attrs.HardwareAddr = hardwareAddr(c.Subnets[0].gateway())
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, err
		}
		link, err = netlink.LinkByName(c.Bridge)
	}
	if err != nil {
		return nil, err
	}
	if link.Type() != "bridge" {
		return nil, fmt.Errorf("there is a link of that name which is a %s", link.Type())
	}
	if c.MTU != 0 && link.Attrs().MTU != c.MTU {
		if err := netlink.LinkSetMTU(link, c.MTU); err != nil {
			return nil, fmt.Errorf("setting the MTU to %d: %w", c.MTU, err)
		}
	}
	held, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	for _, s := range c.Subnets {
		own := s.on(s.gateway())
		if slices.ContainsFunc(held, func(a netlink.Addr) bool { return a.IP.Equal(own.IP) }) {
			continue
		}
		address := &netlink.Addr{IPNet: own}
		if s.Addr().Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrReplace(link, address); err != nil {
			return nil, fmt.Errorf("adding %s: %w", own, err)
		}
	}
	if link.Attrs().Flags&net.FlagUp != 0 {
		return link, nil
	}
	return link, netlink.LinkSetUp(link)
}

// join makes a pair of links: one on the bridge, the other inside the container under its final name, in one request.
func join(bridge netlink.Link, name string, ns netns.NsHandle, inside string, mac net.HardwareAddr, mtu int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex, attrs.Flags = name, mtu, bridge.Attrs().Index, net.FlagUp
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: inside, PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(int(ns))}
	if err := netlink.LinkAdd(pair); err != nil {
		return err
	}
	// A Service may lead a Pod back to itself.
	return netlink.LinkSetHairpin(pair, true)
}

// configure gives the container's end its addresses and routes.
func configure(c *config, ns netns.NsHandle, inside string, addresses []netip.Addr) error {
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(inside)
	if err != nil {
		return err
	}
	for i, a := range addresses {
		address := &netlink.Addr{IPNet: c.Subnets[i].on(a)}
		if a.Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrAdd(link, address); err != nil {
			return fmt.Errorf("adding address %s: %w", a, err)
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return err
	}
	for _, s := range c.Subnets {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: s.gateway().AsSlice(), MTU: c.RouteMTU}
		if err := h.RouteAdd(route); err != nil {
			return fmt.Errorf("adding the route by %s: %w", s.gateway(), err)
		}
	}
	return nil
}

// removeLink removes a link of the host; its other end goes with it. A missing one is fine.
func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// hardwareAddr makes an address's hardware address follow from it: whoever gets the address next has the same one, so no
// neighbour's table is ever out of date.
func hardwareAddr(a netip.Addr) net.HardwareAddr {
	bytes := a.AsSlice()
	return append(net.HardwareAddr{0x0a, 0x58}, bytes[len(bytes)-4:]...)
}

func describe(c *config, args *skel.CmdArgs, bridge netlink.Link, name string, mac net.HardwareAddr, addresses []netip.Addr) *current.Result {
	result := &current.Result{
		CNIVersion: current.ImplementedSpecVersion,
		Interfaces: []*current.Interface{
			{Name: c.Bridge, Mac: bridge.Attrs().HardwareAddr.String()},
			{Name: name},
			{Name: args.IfName, Mac: mac.String(), Sandbox: args.Netns},
		},
	}
	for i, a := range addresses {
		s := c.Subnets[i]
		gateway := net.IP(s.gateway().AsSlice())
		result.IPs = append(result.IPs, &current.IPConfig{Interface: current.Int(2), Address: *s.on(a), Gateway: gateway})
	}
	return result
}

// inspect compares the container's link with what was made once.
func inspect(c *config, args *skel.CmdArgs, made *current.Result) error {
	if _, err := netlink.LinkByName(attachment.HostLink(attachment.Name(args.ContainerID, args.IfName))); err != nil {
		return err
	}
	ns, err := netns.GetFromPath(args.Netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(args.IfName)
	if err != nil {
		return err
	}
	held, err := h.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, want := range made.IPs {
		if !slices.ContainsFunc(held, func(a netlink.Addr) bool { return a.IPNet.String() == want.Address.String() }) {
			return fmt.Errorf("%s of %s has lost its address %s", args.IfName, c.Name, &want.Address)
		}
	}
	return nil
}
