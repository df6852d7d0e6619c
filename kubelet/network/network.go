// Package network makes this machine part of the Pod network: what the container runtime is told about it, the kernel's settings, and the removal of both.
package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// Bridge is the link that Pods of this machine are joined to.
	Bridge = "coracle0"
	// file is last in the order of names, which is the order of preference: anybody else's configuration comes first.
	file = "99-coracle.conflist"
)

// Config says where things are.
type Config struct {
	// DataDir is the node's data directory. Addresses in use are kept in DataDir/network.
	DataDir string
	// ConfDir is where the container runtime looks for network configurations; /etc/cni/net.d unless set.
	ConfDir string
	// MTU of the Pods' links; that of the default route's link unless set.
	MTU int
}

// Network is this machine's part of the Pod network.
type Network struct{ config Config }

// New returns the machine's network. It changes nothing yet.
func New(c Config) *Network {
	if c.ConfDir == "" {
		c.ConfDir = "/etc/cni/net.d"
	}
	return &Network{config: c}
}

// Foreign says whether Pods are joined by somebody else's configuration, which wins over ours. Masquerading is then
// theirs too.
func (n *Network) Foreign() (bool, error) {
	entries, err := os.ReadDir(n.config.ConfDir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return theirs(e.Name()) }), err
}

// theirs says whether the runtime would take a file as a network configuration before ours.
func theirs(name string) bool {
	return slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(name)) && name < file
}

// Join makes the kernel forward and tells the container runtime this machine's Pod ranges, at most one of each family.
// It may be called again; nothing is written that is there already. Pods that run keep their addresses.
func (n *Network) Join(ranges []netip.Prefix) error {
	if len(ranges) == 0 {
		return errors.New("joining the Pod network: the node has no Pod range")
	}
	if err := forward(slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Addr().Is6() })); err != nil {
		return fmt.Errorf("making the kernel forward: %w", err)
	}
	mtu := n.config.MTU
	if mtu == 0 {
		var err error
		if mtu, err = defaultMTU(); err != nil {
			return fmt.Errorf("finding the MTU of the default route: %w", err)
		}
	}
	content, err := render(n.addresses(), ranges, mtu)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(n.config.ConfDir, file), content); err != nil {
		return fmt.Errorf("writing the network configuration: %w", err)
	}
	return nil
}

// Remove takes the machine out of the Pod network: configuration, bridge, what is joined to it, and all addresses. Pods must be
// gone. It is idempotent.
func (n *Network) Remove() error {
	return errors.Join(
		remove(filepath.Join(n.config.ConfDir, file)),
		removeBridge(),
		os.RemoveAll(n.addresses()),
	)
}

func (n *Network) addresses() string { return filepath.Join(n.config.DataDir, "network") }

// render is the network configuration that names our plugin.
func render(dataDir string, ranges []netip.Prefix, mtu int) ([]byte, error) {
	subnets := make([]string, 0, len(ranges))
	for _, r := range ranges {
		subnets = append(subnets, r.Masked().String())
	}
	content, err := json.MarshalIndent(map[string]any{
		"cniVersion": "1.0.0",
		"name":       "coracle",
		"plugins": []any{map[string]any{
			"type": "coracle-net", "bridge": Bridge, "mtu": mtu, "subnets": subnets, "dataDir": dataDir,
		}},
	}, "", "  ")
	return append(content, '\n'), err
}

// write makes a file's content what is given. containerd looks at its folder again after a write and after a renaming from
// within, not after a file's arrival from elsewhere: a new file is written in place, a changed one is replaced.
func write(path string, content []byte) error {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o644)
	case err != nil:
		return err
	case string(old) == string(content):
		return nil
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeBridge deletes the bridge and the links on it.
func removeBridge() error {
	bridge, err := netlink.LinkByName(Bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Attrs().MasterIndex == bridge.Attrs().Index && strings.HasPrefix(l.Attrs().Name, "veth") {
			err = errors.Join(err, gone(netlink.LinkDel(l)))
		}
	}
	return errors.Join(err, gone(netlink.LinkDel(bridge)))
}

func gone(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
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
