package network

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// vni is the number of our network within vxlan: not one that others use by default, so that they may use the port too.
const vni = 7463

// apply makes the tunnel's link and all that belongs to it what is wanted, and returns its index. A nil tunnel removes the link.
func (t *tunnel) apply(port int) (index int, err error) {
	link, err := find(Tunnel)
	if err != nil {
		return 0, err
	}
	if link != nil && (t == nil || !t.is(link, port)) {
		if err := gone(netlink.LinkDel(link)); err != nil {
			return 0, fmt.Errorf("removing link %s: %w", Tunnel, err)
		}
		link = nil
	}
	if t == nil {
		return 0, nil
	}
	if link == nil {
		if link, err = t.add(port); err != nil {
			return 0, fmt.Errorf("adding link %s: %w", Tunnel, err)
		}
	}
	if link.Attrs().MTU != t.mtu && t.mtu > 0 {
		if err := netlink.LinkSetMTU(link, t.mtu); err != nil {
			return 0, fmt.Errorf("setting the MTU of %s to %d: %w", Tunnel, t.mtu, err)
		}
	}
	if err := t.applyAddresses(link); err != nil {
		return 0, err
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			return 0, fmt.Errorf("setting %s up: %w", Tunnel, err)
		}
	}
	return link.Attrs().Index, t.applyPeers(link)
}

// add makes the link. It learns nothing from packets: all that it needs to know is in the plan.
func (t *tunnel) add(port int) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = Tunnel, t.mtu, hardwareAddr(t.local)
	if err := netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: attrs, VxlanId: vni, SrcAddr: t.local.AsSlice(), Port: port}); err != nil {
		return nil, err
	}
	loosen(Tunnel)
	return netlink.LinkByName(Tunnel)
}

// is says whether a link has all that cannot be changed as it should be.
func (t *tunnel) is(link netlink.Link, port int) bool {
	v, ok := link.(*netlink.Vxlan)
	return ok && v.VxlanId == vni && v.Port == port && !v.Learning && v.SrcAddr.Equal(t.local.AsSlice()) &&
		bytes.Equal(v.HardwareAddr, hardwareAddr(t.local))
}

// tunnelPort is that of the link that there is, 0 where there is none.
func tunnelPort() (int, error) {
	link, err := find(Tunnel)
	if err != nil {
		return 0, fmt.Errorf("looking for link %s: %w", Tunnel, err)
	}
	if v, ok := link.(*netlink.Vxlan); ok {
		return v.Port, nil
	}
	return 0, nil
}

func (t *tunnel) applyAddresses(link netlink.Link) error {
	held, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("listing the addresses of %s: %w", Tunnel, err)
	}
	wanted := map[netip.Prefix]bool{}
	for _, a := range t.addresses {
		wanted[netip.PrefixFrom(a, a.BitLen())] = true
	}
	for i := range held {
		have := prefixOf(held[i].IPNet)
		if wanted[have] || have.Addr().IsLinkLocalUnicast() {
			delete(wanted, have)
			continue
		}
		if err := netlink.AddrDel(link, &held[i]); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("removing %s from %s: %w", have, Tunnel, err)
		}
	}
	for want := range wanted {
		address := &netlink.Addr{IPNet: ipNet(want)}
		if want.Addr().Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrReplace(link, address); err != nil {
			return fmt.Errorf("adding %s to %s: %w", want, Tunnel, err)
		}
	}
	return nil
}

// neighbour is an entry of the tunnel's tables: the hardware address behind an address, or, in the bridge family, the machine
// behind a hardware address.
type neighbour struct {
	family   int
	ip       netip.Addr
	hardware string
}

func (t *tunnel) applyPeers(link netlink.Link) error {
	index := link.Attrs().Index
	wanted := map[neighbour]bool{}
	for _, p := range t.peers {
		hardware := string(hardwareAddr(p.at))
		wanted[neighbour{unix.AF_BRIDGE, p.at, hardware}] = true
		for _, g := range p.gateways {
			wanted[neighbour{familyOf(g), g, hardware}] = true
		}
	}
	var errs []error
	for _, family := range []int{unix.AF_BRIDGE, unix.AF_INET, unix.AF_INET6} {
		held, err := netlink.NeighList(index, family)
		if err != nil {
			return fmt.Errorf("listing the neighbours of %s: %w", Tunnel, err)
		}
		for i := range held {
			ip, _ := netip.AddrFromSlice(held[i].IP)
			have := neighbour{family, ip.Unmap(), string(held[i].HardwareAddr)}
			if held[i].State&unix.NUD_PERMANENT == 0 {
				continue
			}
			if wanted[have] {
				delete(wanted, have)
				continue
			}
			if err := gone(netlink.NeighDel(have.kernel(index))); err != nil {
				errs = append(errs, fmt.Errorf("removing neighbour %s: %w", ip, err))
			}
		}
	}
	for want := range wanted {
		if err := netlink.NeighSet(want.kernel(index)); err != nil {
			errs = append(errs, fmt.Errorf("adding neighbour %s: %w", want.ip, err))
		}
	}
	return errors.Join(errs...)
}

func (n neighbour) kernel(index int) *netlink.Neigh {
	k := &netlink.Neigh{
		LinkIndex: index, Family: n.family, State: unix.NUD_PERMANENT, IP: n.ip.AsSlice(), HardwareAddr: net.HardwareAddr(n.hardware),
	}
	if n.family == unix.AF_BRIDGE {
		k.Flags = unix.NTF_SELF
	}
	return k
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
