package main

import (
	"fmt"
	"net"
	"net/netip"
)

// subnet is a range of addresses of which the first is the gateway.
type subnet struct{ netip.Prefix }

// UnmarshalText parses a CIDR and checks that there is an address in it for somebody.
func (s *subnet) UnmarshalText(text []byte) error {
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return err
	}
	s.Prefix = prefix.Masked()
	if prefix.Addr().BitLen()-prefix.Bits() < 2 {
		return fmt.Errorf("%s has no address for a Pod", prefix)
	}
	return nil
}

// gateway is the bridge's own address.
func (s subnet) gateway() netip.Addr { return s.Addr().Next() }

// usable says whether an address may be given to a container: of the range, and neither network, gateway nor broadcast.
func (s subnet) usable(a netip.Addr) bool {
	if !s.Contains(a) || a.Compare(s.gateway()) <= 0 {
		return false
	}
	return a.Is6() || s.Contains(a.Next())
}

// after is the candidate that follows a, which starts again at the range's end.
func (s subnet) after(a netip.Addr) netip.Addr {
	if next := a.Next(); s.usable(next) {
		return next
	}
	return s.gateway().Next()
}

// on gives an address of the range its mask.
func (s subnet) on(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(s.Bits(), a.BitLen())}
}
