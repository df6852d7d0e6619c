package rule

import (
	"net"

	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// EndpointIP refuses addresses that cannot be those of an endpoint elsewhere: the node's own, and those of many.
func EndpointIP(address string, at *field.Path) (errs field.ErrorList) {
	ip := netutils.ParseIPSloppy(address)
	if ip == nil {
		return field.ErrorList{field.Invalid(at, address, "must be a valid IP address")}
	}
	for _, bad := range []struct {
		is     func(net.IP) bool
		detail string
	}{
		{net.IP.IsUnspecified, "may not be unspecified (" + address + ")"},
		{net.IP.IsLoopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"},
		{net.IP.IsLinkLocalUnicast, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"},
		{net.IP.IsLinkLocalMulticast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"},
	} {
		if bad.is(ip) {
			errs = append(errs, field.Invalid(at, address, bad.detail))
		}
	}
	return errs
}
