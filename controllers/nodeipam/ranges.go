package nodeipam

import (
	"math/big"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// ranges are all that can be cut from cluster with the prefix length bits, in order, and which of them are taken. A range
// is found from a cursor on, so that to give away all of them takes as many steps as there are, and one that came free is
// not given away again before the others.
type ranges struct {
	cluster, reserved netip.Prefix
	bits              int

	// used counts who takes each range, or a part of it. Larger ones that Nodes have are few: wide has them.
	used, wide map[netip.Prefix]int
	next       netip.Addr
}

func newRanges(cluster, reserved netip.Prefix, bits int) *ranges {
	r := &ranges{cluster: cluster.Masked(), reserved: reserved, bits: bits, used: map[netip.Prefix]int{}, wide: map[netip.Prefix]int{}}
	r.next = r.cluster.Addr()
	if reserved.IsValid() {
		r.take(reserved)
	}
	return r
}

// rangesOf are the ranges that a Node has. What is no range is nobody's.
func rangesOf(node *corev1.Node) []netip.Prefix {
	cidrs := node.Spec.PodCIDRs
	if len(cidrs) == 0 {
		cidrs = []string{node.Spec.PodCIDR}
	}
	var all []netip.Prefix
	for _, cidr := range cidrs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			all = append(all, prefix.Masked())
		}
	}
	return all
}

func (r *ranges) take(prefix netip.Prefix) {
	counts, key := r.countOf(prefix)
	counts[key]++
}

func (r *ranges) release(prefix netip.Prefix) {
	counts, key := r.countOf(prefix)
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

func (r *ranges) countOf(prefix netip.Prefix) (map[netip.Prefix]int, netip.Prefix) {
	if prefix.Bits() < r.bits {
		return r.wide, prefix.Masked()
	}
	return r.used, netip.PrefixFrom(prefix.Addr(), r.bits).Masked()
}

// free returns the next range, after the last one that it returned, that overlaps none that is taken; ok is false if there
// is none. It is not taken yet.
func (r *ranges) free() (prefix netip.Prefix, ok bool) {
	began, wrapped := r.next, false
	for {
		candidate := netip.PrefixFrom(r.next, r.bits)
		widest, taken := r.taker(candidate)
		after, more := behind(widest)
		if more = more && r.cluster.Contains(after); !more {
			after = r.cluster.Addr()
		}
		r.next = after
		switch {
		case !taken:
			return candidate, true
		case !more && wrapped:
			return netip.Prefix{}, false
		case wrapped && began.Less(after):
			return netip.Prefix{}, false
		}
		wrapped = wrapped || !more
	}
}

// taker is what takes a range, or the range itself.
func (r *ranges) taker(candidate netip.Prefix) (widest netip.Prefix, taken bool) {
	for wide := range r.wide {
		if wide.Overlaps(candidate) {
			return wide, true
		}
	}
	return candidate, r.used[candidate] > 0
}

// behind is the first address after the prefix; ok is false at the end of all addresses.
func behind(prefix netip.Prefix) (addr netip.Addr, ok bool) {
	size := new(big.Int).Lsh(big.NewInt(1), uint(prefix.Addr().BitLen()-prefix.Bits()))
	sum := new(big.Int).Add(new(big.Int).SetBytes(prefix.Masked().Addr().AsSlice()), size)
	raw := make([]byte, prefix.Addr().BitLen()/8)
	if sum.BitLen() > prefix.Addr().BitLen() {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(sum.FillBytes(raw))
}
