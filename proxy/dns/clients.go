package dns

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// fresh is how long the list of the machine's own addresses is good for saying that one is not among them.
	fresh = time.Second
	// acquaintance is how long a question waits until the Pod that asked is known, and waiters how many may.
	acquaintance, look = 2 * time.Second, 50 * time.Millisecond
	waiters            = 64
)

// clients says who is answered: a server that answers anybody lends itself to floods of others.
type clients struct {
	inside []netip.Prefix
	// pod says whether a Pod of this node is known by an address, own lists the machine's addresses.
	pod     func(netip.Addr) bool
	own     func() []netip.Addr
	waiting chan struct{}

	mu    sync.Mutex
	local []netip.Addr
	read  time.Time
}

// allowed may wait: a Pod of a foreign network plugin has an address that nobody could foresee, and may ask before it is known.
func (c *clients) allowed(ctx context.Context, client netip.Addr) bool {
	known := func() bool {
		return client.IsLoopback() || slices.ContainsFunc(c.inside, func(p netip.Prefix) bool { return p.Contains(client) }) ||
			c.pod(client) || c.isOwn(client)
	}
	if known() {
		return true
	}
	select {
	case c.waiting <- struct{}{}:
		defer func() { <-c.waiting }()
	default:
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, acquaintance)
	defer cancel()
	again := time.NewTicker(look)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-again.C:
			if c.pod(client) {
				return true
			}
		}
	}
}

func (c *clients) isOwn(client netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); !slices.Contains(c.local, client) && now.Sub(c.read) >= fresh {
		c.local, c.read = c.own(), now
	}
	return slices.Contains(c.local, client)
}

func ownAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var own []netip.Addr
	for _, a := range all {
		if prefix, ok := a.(*net.IPNet); ok {
			own = append(own, addressOf(&net.IPAddr{IP: prefix.IP}))
		}
	}
	return own
}

// addressOf is without port and zone, and IPv4 as such.
func addressOf(a net.Addr) netip.Addr {
	var ip net.IP
	switch a := a.(type) {
	case *net.UDPAddr:
		ip = a.IP
	case *net.TCPAddr:
		ip = a.IP
	case *net.IPAddr:
		ip = a.IP
	}
	address, _ := netip.AddrFromSlice(ip)
	return address.Unmap()
}
