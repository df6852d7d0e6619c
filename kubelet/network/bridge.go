package network

import (
	"errors"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hasPods says whether any Pod's link is on the bridge.
func hasPods() (bool, error) {
	_, ports, err := bridgePorts()
	return len(ports) > 0, err
}

// removeBridge deletes the bridge and the Pods' links on it.
func removeBridge() error {
	bridge, ports, err := bridgePorts()
	if bridge == nil || err != nil {
		return err
	}
	for _, l := range ports {
		err = errors.Join(err, gone(netlink.LinkDel(l)))
	}
	return errors.Join(err, gone(netlink.LinkDel(bridge)))
}

// bridgePorts returns the bridge, nil if there is none, and the Pods' links on it.
func bridgePorts() (bridge netlink.Link, ports []netlink.Link, err error) {
	bridge, err = find(Bridge)
	if bridge == nil || err != nil {
		return nil, nil, err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, nil, err
	}
	return bridge, slices.DeleteFunc(links, func(l netlink.Link) bool {
		return l.Attrs().MasterIndex != bridge.Attrs().Index || !strings.HasPrefix(l.Attrs().Name, "veth")
	}), nil
}

// find returns the link of a name, nil if there is none.
func find(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	return link, err
}

// gone makes it no error that what was to be removed is not there.
func gone(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
