package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/fsnotify/fsnotify"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/guard"
)

// changes tells of what happens on the machine, outside the API, that our part of the network depends on.
type changes struct {
	wake   func()
	kernel *nl.NetlinkSocket
	files  *fsnotify.Watcher
	// links are those whose changes count, nil is all.
	links atomic.Pointer[map[int]bool]
	// ended has the reason why one of the two watches ended.
	ended chan error

	group guard.Group
}

// watch begins to call wake after changes in a folder, of links, addresses and routes, of ours only their loss.
// stop must be called.
func watch(dir string, wake func()) (*changes, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of network configurations: %w", err)
	}
	files, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", dir, err)
	}
	if err := files.Add(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("watching %s: %w", dir, err), files.Close())
	}
	kernel, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watching the kernel's network: %w", err), files.Close())
	}
	c := &changes{wake: wake, kernel: kernel, files: files, ended: make(chan error, 2)}
	end := func(err error) { c.ended <- err }
	c.group.GoThen("watching network configurations", func() error { return c.watchFiles(dir) }, end)
	c.group.GoThen("watching the kernel's network", c.watchKernel, end)
	return c, nil
}

// stop ends both watches and returns when they have ended.
func (c *changes) stop() {
	c.kernel.Close()
	c.files.Close()
	c.group.Wait()
}

func (c *changes) watchFiles(dir string) error {
	for {
		select {
		case event, ok := <-c.files.Events:
			if !ok {
				return nil
			}
			if event.Name == dir && event.Has(fsnotify.Remove|fsnotify.Rename) {
				return fmt.Errorf("watching %s: the folder is gone", dir)
			}
			c.wake()
		case err, ok := <-c.files.Errors:
			if !ok {
				return nil
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watching %s: %w", dir, err)
			}
			c.wake()
		}
	}
}

// heed makes changes of links count if they are of some, or of any if links is nil. All others always do.
func (c *changes) heed(links map[int]bool) { c.links.Store(&links) }

func (c *changes) interesting() map[int]bool {
	if links := c.links.Load(); links != nil {
		return *links
	}
	return nil
}

func (c *changes) watchKernel() error {
	for {
		messages, _, err := c.kernel.Receive()
		switch {
		case errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EBADF):
			return nil
		case errors.Is(err, unix.ENOBUFS):
			c.wake() // some were lost: look at everything
		case err != nil:
			return fmt.Errorf("watching the kernel's network: %w", err)
		}
		for _, m := range messages {
			if matters(m, c.interesting()) {
				c.wake()
			}
		}
	}
}

// matters says whether a message of the kernel may ask for something to be done. links are those to be told of, nil is all; the links
// of Pods, which come and go, are not among them.
func matters(m syscall.NetlinkMessage, links map[int]bool) bool {
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return len(m.Data) >= unix.SizeofIfInfomsg && (links == nil || links[int(binary.NativeEndian.Uint32(m.Data[4:]))])
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return len(m.Data) >= unix.SizeofIfAddrmsg && m.Data[3] != unix.RT_SCOPE_LINK
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(m.Data) < unix.SizeofRtMsg {
			return false
		}
		table, origin := m.Data[4], m.Data[5]
		if table != unix.RT_TABLE_MAIN || origin == protocol {
			return origin == protocol && m.Header.Type == unix.RTM_DELROUTE
		}
		return !toLinkLocal(m.Data)
	}
	return false
}

// toLinkLocal says whether a route's message is one of those that each link has in IPv6.
func toLinkLocal(route []byte) bool {
	attributes, err := nl.ParseRouteAttr(route[unix.SizeofRtMsg:])
	if err != nil {
		return false
	}
	for _, a := range attributes {
		if to, ok := netip.AddrFromSlice(a.Value); ok && a.Attr.Type == unix.RTA_DST {
			return to.Is6() && to.IsLinkLocalUnicast()
		}
	}
	return false
}
