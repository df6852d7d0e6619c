// Package network makes this machine part of the Pod network: what the container runtime is told about it, the kernel's settings, the
// ways to other nodes' Pods, and the removal of all of it.
//
// Pods of a node are joined to its bridge by the plugin cmd/coracle-net. To another node's Pods lead plain routes where both nodes are
// on one link, and a vxlan tunnel where a router is between them; Run chooses for each pair of nodes and keeps it so.
//
// A network configuration that somebody else puts into the runtime's folder wins, also while the node runs: ours is taken away, new
// Pods are joined by theirs. The bridge, the routes and the masquerading stay for as long as Pods of ours are left: our routes lose
// against any other route to the same addresses. When theirs goes, ours comes back.
package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// Bridge is the link that Pods of this machine are joined to.
	Bridge = "coracle0"
	// Tunnel is the link to nodes behind routers; there is none where there are no such nodes.
	Tunnel = "coracle-vxlan"
)

// Config says where things are.
type Config struct {
	// DataDir is the node's data directory. Addresses in use are kept in DataDir/network.
	DataDir string
	// ConfDir is where the container runtime looks for network configurations; /etc/cni/net.d unless set.
	ConfDir string
	// MTU of the Pods' links; that of the default route's link unless set.
	MTU int
	// OnChange is told by Run, at its start and at each change, what packet rules this network needs. It does not block.
	OnChange func(State)
}

// State is what packet rules depend on. It can be compared.
type State struct {
	// InUse says that Pods are joined to this network, or may be: there is no foreign configuration, or there are Pods from before
	// it came. Pods' packets need forwarding, and masquerading where they leave the cluster.
	InUse bool
	// TunnelPort is the UDP port where tunnels of other nodes end, 0 where there are none. Nobody else may send there.
	TunnelPort int
}

// Network is this machine's part of the Pod network. Its methods may be called at the same time, Run once at a time.
type Network struct{ config Config }

// New returns the machine's network. It changes nothing yet.
func New(c Config) *Network {
	if c.ConfDir == "" {
		c.ConfDir = "/etc/cni/net.d"
	}
	if c.OnChange == nil {
		c.OnChange = func(State) {}
	}
	return &Network{config: c}
}

// State is how the network is now, whether or not it runs: what a process before this one made is still there.
func (n *Network) State() (State, error) {
	inUse, err := n.inUse()
	if err != nil || !inUse {
		return State{}, err
	}
	port, err := tunnelPort()
	return State{InUse: true, TunnelPort: port}, err
}

func (n *Network) inUse() (bool, error) {
	foreign, err := n.Foreign()
	if err != nil || !foreign {
		return !foreign, err
	}
	return hasPods()
}

// Join makes the kernel forward and tells the container runtime this machine's Pod ranges, at most one of each family; but not
// where a foreign configuration is: that is no error. It may be called again; nothing is written that is there already. Pods that
// run keep their addresses.
func (n *Network) Join(ranges []netip.Prefix) error {
	if len(ranges) == 0 {
		return errors.New("joining the Pod network: the node has no Pod range")
	}
	if foreign, err := n.Foreign(); err != nil || foreign {
		return err
	}
	if err := forward(slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Addr().Is6() })); err != nil {
		return fmt.Errorf("making the kernel forward: %w", err)
	}
	c := configuration{Subnets: masked(ranges), DataDir: n.addresses()}
	var err error
	if c.MTU, err = n.mtu(); err != nil {
		return fmt.Errorf("choosing the MTU of Pods' links: %w", err)
	}
	if c.RouteMTU, err = routeMTU(c.MTU); err != nil {
		return fmt.Errorf("choosing the MTU of Pods' routes: %w", err)
	}
	content, err := render(c)
	if err != nil {
		return err
	}
	if err := write(n.file(), content); err != nil {
		return fmt.Errorf("writing the network configuration: %w", err)
	}
	return nil
}

// Remove takes the machine out of the Pod network: configuration, bridge, what is joined to it, all addresses, and the ways to
// other nodes. Pods must be gone. It is idempotent.
func (n *Network) Remove() error {
	return errors.Join(remove(n.file()), n.leave())
}

// leave removes all but the configuration.
func (n *Network) leave() error {
	_, err := plan{}.apply(0) // no tunnel, no port
	return errors.Join(err, removeBridge(), os.RemoveAll(n.addresses()))
}

func (n *Network) file() string      { return filepath.Join(n.config.ConfDir, file) }
func (n *Network) addresses() string { return filepath.Join(n.config.DataDir, "network") }

// mtu is that of Pods' links. While there are Pods it stays as it is: a bridge drops without a word what is too big for a port.
func (n *Network) mtu() (int, error) {
	if n.config.MTU != 0 {
		return n.config.MTU, nil
	}
	bridge, ports, err := bridgePorts()
	if len(ports) > 0 {
		return bridge.Attrs().MTU, nil
	}
	if err != nil {
		return 0, err
	}
	return defaultMTU()
}

// routeMTU is that of what Pods on links of an MTU send to other nodes: less where a way takes less, such as the tunnel; 0 is the same.
// It is given to new Pods, so that nothing that they send is ever too big. Those from before are told by the kernel, at the price
// of the first packet.
func routeMTU(link int) (int, error) {
	ways, err := listRoutes()
	if err != nil {
		return 0, err
	}
	least := link
	for index := range linksOf(ways) {
		way, err := netlink.LinkByIndex(index)
		if err != nil {
			return 0, err
		}
		least = min(least, way.Attrs().MTU)
	}
	if least == link {
		return 0, nil
	}
	return least, nil
}

func linksOf(routes []netlink.Route) map[int]bool {
	all := map[int]bool{}
	for _, r := range routes {
		all[r.LinkIndex] = true
	}
	return all
}

func masked(ranges []netip.Prefix) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(ranges))
	for _, r := range ranges {
		all = append(all, r.Masked())
	}
	return all
}

// defaultMTU is what fits through the link that leads out of this machine.
func defaultMTU() (int, error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return 0, err
	}
	for _, r := range routes {
		if ones, _ := prefixLength(r); ones != 0 || r.LinkIndex == 0 {
			continue
		}
		link, err := netlink.LinkByIndex(r.LinkIndex)
		if err != nil {
			return 0, err
		}
		return link.Attrs().MTU, nil
	}
	return 1500, nil
}

func prefixLength(r netlink.Route) (ones, bits int) {
	if r.Dst == nil {
		return 0, 0
	}
	return r.Dst.Mask.Size()
}
