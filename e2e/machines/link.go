package machines

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Link is what a switch makes: machines on it reach one another directly, and those of other links by the program's own network
// namespace, which is the router.
type Link struct {
	// Bridge is the switch, in the program's network namespace.
	Bridge string
	// Router is its address there; machines have addresses of the same network.
	Router netip.Prefix
}

// Lay makes the link. Idempotent.
func (l Link) Lay() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.Bridge
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("making bridge %s: %w", l.Bridge, err)
	}
	bridge, err := netlink.LinkByName(l.Bridge)
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(bridge, address(l.Router)); err != nil {
		return fmt.Errorf("giving bridge %s an address: %w", l.Bridge, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// Remove removes the link; machines on it are alone then. Idempotent.
func (l Link) Remove() error {
	bridge, err := netlink.LinkByName(l.Bridge)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return err
	}
	return netlink.LinkDel(bridge)
}

// Connect gives the machine an eth0 on the link, with an address, and a default route to the router. The port of the switch is
// called by the machine's name.
func (l Link) Connect(m *Machine, ip netip.Addr) error {
	if err := l.plug(m); err != nil {
		return fmt.Errorf("connecting machine %s: %w", m.Name, err)
	}
	if err := l.configure(m, ip); err != nil {
		return fmt.Errorf("configuring eth0 of machine %s: %w", m.Name, err)
	}
	return l.Plug(m)
}

// plug makes a cable from the switch to the machine.
func (l Link) plug(m *Machine) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = port(m)
	cable := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsPid(m.PID)}
	if err := netlink.LinkAdd(cable); err != nil {
		return err
	}
	end, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(end)
}

func (l Link) configure(m *Machine, ip netip.Addr) error {
	space, err := netns.GetFromPid(m.PID)
	if err != nil {
		return err
	}
	defer space.Close()
	inside, err := netlink.NewHandleAt(space, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer inside.Close()
	eth0, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := inside.LinkSetUp(eth0); err != nil {
		return err
	}
	if err := inside.AddrAdd(eth0, address(netip.PrefixFrom(ip, l.Router.Bits()))); err != nil {
		return err
	}
	return inside.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: l.Router.Addr().AsSlice()})
}

// Disconnect removes the machine's cable. The kernel would do it some time after the machine's end. Idempotent.
func (l Link) Disconnect(m *Machine) error {
	end, err := netlink.LinkByName(port(m))
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := netlink.LinkDel(end); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing the cable of machine %s: %w", m.Name, err)
	}
	return nil
}

// Unplug cuts the machine off: what it sends is lost, what is sent to it is lost, and nobody is told. Idempotent.
func (l Link) Unplug(m *Machine) error {
	end, err := netlink.LinkByName(port(m))
	if err != nil {
		return fmt.Errorf("cutting off machine %s: %w", m.Name, err)
	}
	return netlink.LinkSetNoMaster(end)
}

// Plug undoes Unplug. Idempotent.
func (l Link) Plug(m *Machine) error {
	end, err := netlink.LinkByName(port(m))
	if err != nil {
		return fmt.Errorf("plugging in machine %s: %w", m.Name, err)
	}
	bridge, err := netlink.LinkByName(l.Bridge)
	if err != nil {
		return fmt.Errorf("plugging in machine %s: %w", m.Name, err)
	}
	return netlink.LinkSetMaster(end, bridge)
}

// port is the switch's end of a machine's cable.
func port(m *Machine) string { return "p-" + m.Name }

func address(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
}
