package servicecidrs

import (
	"encoding/binary"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// allocator labels the addresses that are Services'.
const allocator = "ipallocator.k8s.io"

func ready() metav1.Condition {
	return metav1.Condition{
		Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue, Message: "Kubernetes Service CIDR is ready",
	}
}

func terminating() metav1.Condition {
	return metav1.Condition{
		Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionFalse, Reason: networkingv1.ServiceCIDRReasonTerminating,
		Message: "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
	}
}

// needed reports whether Services' addresses would belong to no range without this one.
func needed(cidr *networkingv1.ServiceCIDR, all []networkingv1.ServiceCIDR, ips []networkingv1.IPAddress) bool {
	var others []netip.Prefix
	for i := range all {
		if all[i].Name != cidr.Name {
			others = append(others, prefixes(&all[i])...)
		}
	}
	own := slices.DeleteFunc(prefixes(cidr), func(p netip.Prefix) bool {
		return slices.ContainsFunc(others, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Overlaps(p) })
	})
	for i := range ips {
		address, err := netip.ParseAddr(ips[i].Name)
		if err != nil || ips[i].Labels[networkingv1.LabelManagedBy] != allocator {
			continue
		}
		holds := func(p netip.Prefix) bool { return handsOut(p, address) }
		if slices.ContainsFunc(own, holds) && !slices.ContainsFunc(others, holds) {
			return true
		}
	}
	return false
}

func prefixes(cidr *networkingv1.ServiceCIDR) (all []netip.Prefix) {
	for _, text := range cidr.Spec.CIDRs {
		if p, err := netip.ParsePrefix(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// handsOut reports whether an address may be one of the range: its own address, and IPv4's for broadcasts, may not.
func handsOut(p netip.Prefix, address netip.Addr) bool {
	if !p.Contains(address) || address == p.Masked().Addr() {
		return false
	}
	if !address.Is4() {
		return true
	}
	bytes := address.As4()
	hosts := uint32(1)<<(32-p.Bits()) - 1
	return binary.BigEndian.Uint32(bytes[:])&hosts != hosts
}
