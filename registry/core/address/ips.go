package address

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// IPs records which cluster IPs are taken.
type IPs interface {
	// Claim records that the Service has the address. It returns ErrTaken if it is taken.
	Claim(ctx context.Context, ip netip.Addr, s *corev1.Service) error
	// Free gives an address back. It tries only: what it leaves, a repair finds.
	Free(ctx context.Context, ip netip.Addr)
	// Taken reports whether the address was taken when last heard of. It is cheap, and no promise.
	Taken(ip netip.Addr) bool
	// CIDRs are those of ServiceCIDR objects that are ready.
	CIDRs() []netip.Prefix
}

var (
	// ErrTaken is what Claim returns for an address that is taken.
	ErrTaken     = errors.New("provided IP is already allocated")
	errFull      = errors.New("range is full")
	errElsewhere = errors.New("the provided network does not match the current range")
)

// this takes the address that the client wants.
func (a *Allocator) this(ctx context.Context, s *corev1.Service, ip netip.Addr, ranges []ipRange, dryRun bool) error {
	for _, r := range ranges {
		switch {
		case !r.cidr.Contains(ip):
			continue
		case ip.Less(r.first) || r.last.Less(ip):
			return fmt.Errorf("the provided IP (%s) is not in the valid range. The range of valid IPs is %s", ip, r.cidr)
		case dryRun:
			return nil
		}
		return a.config.IPs.Claim(ctx, ip, s)
	}
	return errElsewhere
}

// any takes a free address. A dry run takes none, and shows the network's.
func (a *Allocator) any(ctx context.Context, s *corev1.Service, ranges []ipRange, dryRun bool) (netip.Addr, error) {
	for _, r := range ranges {
		if dryRun {
			return r.cidr.Masked().Addr(), nil
		}
		// The lower part of a range is for those who ask for an address of their choice, and comes last here.
		for _, part := range [][2]uint64{{r.reserved, r.size}, {0, r.reserved}} {
			ip, err := a.within(ctx, s, r, part[0], part[1])
			if !errors.Is(err, errFull) {
				return ip, err
			}
		}
	}
	return netip.Addr{}, errFull
}

// within takes a free address from the part of a range from offset low until below high.
func (a *Allocator) within(ctx context.Context, s *corev1.Service, r ipRange, low, high uint64) (netip.Addr, error) {
	if low >= high {
		return netip.Addr{}, errFull
	}
	n := high - low
	start := rand.Uint64N(n)
	for i := range n {
		ip := r.at(low + (start+i)%n)
		if a.config.IPs.Taken(ip) {
			continue
		}
		if err := a.config.IPs.Claim(ctx, ip, s); !errors.Is(err, ErrTaken) { // taken: by another server, just now
			return ip, err
		}
	}
	return netip.Addr{}, errFull
}

// An ipRange is what of a CIDR can be handed out.
type ipRange struct {
	cidr        netip.Prefix
	first, last netip.Addr
	// size is how many addresses there are, reserved how many of the first are handed out last.
	size, reserved uint64
}

// rangeOf leaves out the network's own address and, of IPv4, the broadcast address.
func rangeOf(cidr netip.Prefix) ipRange {
	cidr = cidr.Masked()
	bits := min(cidr.Addr().BitLen()-cidr.Bits(), 62)
	size := uint64(1)<<bits - 1
	if cidr.Addr().Is4() && size > 0 {
		size--
	}
	r := ipRange{cidr: cidr, size: size, reserved: reservedOf(size, 16, 256, 16)}
	r.first, r.last = cidr.Addr().Next(), r.at(max(size, 1)-1)
	return r
}

// reservedOf is a share of a range, within bounds; none of a very small one.
func reservedOf(size, least, most, share uint64) uint64 {
	if size <= least {
		return 0
	}
	return min(max(size/share, least), most)
}

// at is the address at an offset from the first.
func (r *ipRange) at(offset uint64) netip.Addr {
	b := r.cidr.Addr().As16()
	for i, carry := 15, offset+1; carry > 0 && i >= 0; i-- {
		carry += uint64(b[i])
		b[i] = byte(carry)
		carry >>= 8
	}
	ip := netip.AddrFrom16(b)
	if r.cidr.Addr().Is4() {
		return ip.Unmap()
	}
	return ip
}

func familyOf(ip netip.Addr) corev1.IPFamily {
	if ip.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}
