package network

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/fsnotify/fsnotify"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// changes tells of what happens on the machine, outside the API, that our part of the network depends on.
type changes struct {
	wake   func()
	kernel *nl.NetlinkSocket
	files  *fsnotify.Watcher
	// ended has the reason why one of the two watches ended.
	ended chan error

	group sync.WaitGroup
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
	c.group.Go(func() { c.ended <- c.watchFiles(dir) })
	c.group.Go(func() { c.ended <- c.watchKernel() })
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
			if matters(m) {
				c.wake()
			}
		}
	}
}

// matters says whether a message of the kernel may ask for something to be done.
func matters(m syscall.NetlinkMessage) bool {
	switch m.Header.Type {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return true
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(m.Data) < unix.SizeofRtMsg {
			return false
		}
		table, origin := m.Data[4], m.Data[5]
		return table == unix.RT_TABLE_MAIN && (origin != protocol || m.Header.Type == unix.RTM_DELROUTE)
	}
	return false
}
