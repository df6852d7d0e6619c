package nodeipam

import (
	"math/big"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// ranges are all that can be cut from cluster with the prefix length bits, in order.
type ranges struct {
	cluster, reserved netip.Prefix
	bits              int
}

// taken are the ranges that Nodes have. What is no range is nobody's.
func taken(nodes []corev1.Node) []netip.Prefix {
	var all []netip.Prefix
	for i := range nodes {
		for _, cidr := range append(nodes[i].Spec.PodCIDRs, nodes[i].Spec.PodCIDR) {
			if prefix, err := netip.ParsePrefix(cidr); err == nil {
				all = append(all, prefix)
			}
		}
	}
	return all
}

// free returns the first range that overlaps none that is taken; ok is false if there is none.
func (r ranges) free(taken []netip.Prefix) (prefix netip.Prefix, ok bool) {
	if r.reserved.IsValid() {
		taken = append(taken, r.reserved)
	}
	next := netip.PrefixFrom(r.cluster.Addr(), r.bits)
search:
	for r.cluster.Contains(next.Addr()) {
		for _, other := range taken {
			if next.Overlaps(other) {
				// Behind whichever of the two is the longer one.
				widest := next
				if other.Bits() < next.Bits() {
					widest = other.Masked()
				}
				after, ok := behind(widest)
				if !ok {
					return netip.Prefix{}, false
				}
				next = netip.PrefixFrom(after, r.bits)
				continue search
			}
		}
		return next, true
	}
	return netip.Prefix{}, false
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
