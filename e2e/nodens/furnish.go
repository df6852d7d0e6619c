package nodens

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// furnish makes the new namespaces a machine: file systems that show them, folders that a node writes, a network.
func furnish() error {
	if err := Furnish(nil); err != nil {
		return err
	}
	return network()
}

// written are the folders that a node writes.
var written = []string{
	"/run", "/var/lib/kubelet", "/var/lib/cni", "/etc/cni", "/etc/containerd", "/opt/cni", "/var/log/pods", "/var/log/containers",
}

// Furnish makes the caller's mount namespace, new and nobody else's, a machine's: file systems that show the namespaces that the
// caller is in, and own folders in place of those that a node writes. kept says which folder is to be seen in whose place; the
// others are empty and in memory.
func Furnish(kept map[string]string) error {
	// Mounts arrive from outside but do not get there; within, they spread as on a machine that systemd started.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("separating mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts within: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := replaceSys(); err != nil {
		return fmt.Errorf("replacing /sys: %w", err)
	}
	for _, dir := range written {
		if err := replace(dir, kept[dir]); err != nil {
			return fmt.Errorf("replacing %s: %w", dir, err)
		}
	}
	for _, dir := range []string{"/run/netns", "/run/lock"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// replaceSys shows the new network namespace's links, with the same cgroups beneath.
func replaceSys() error {
	keep, err := os.MkdirTemp("", "nodens-cgroup-")
	if err != nil {
		return err
	}
	defer os.Remove(keep)
	const cgroups = "/sys/fs/cgroup"
	if err := unix.Mount(cgroups, keep, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("", keep, "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Unmount("/sys", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := unix.Mount(keep, cgroups, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Unmount(keep, unix.MNT_DETACH)
}

// replace puts a folder in dir's place, or an empty one if by is empty.
func replace(dir, by string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	source, kind, flags, data := "tmpfs", "tmpfs", uintptr(unix.MS_NOSUID|unix.MS_NODEV), "mode=755"
	if by != "" {
		source, kind, flags, data = by, "", unix.MS_BIND, ""
	}
	if err := unix.Mount(source, dir, kind, flags, data); err != nil {
		return err
	}
	return unix.Mount("", dir, "", unix.MS_SHARED, "")
}

// network brings up loopback and an eth0 that leads nowhere, with the default route.
func network() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "eth0"
	// A pair with both ends here: some kernels have no dummy links.
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0-peer"}); err != nil {
		return fmt.Errorf("making eth0: %w", err)
	}
	for _, name := range []string{"eth0", "eth0-peer"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	address := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(Address), Mask: net.CIDRMask(24, 32)}}
	route := &netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: net.IPv4(10, 99, 0, 254)}
	return errors.Join(netlink.AddrAdd(eth0, address), netlink.RouteAdd(route))
}
