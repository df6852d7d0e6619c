package conntrack

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/service"
)

func world(endpoints ...string) *service.Snapshot {
	port := service.Port{Protocol: corev1.ProtocolUDP, Port: 53, NodePort: 30053}
	for _, endpoint := range endpoints {
		port.Serving = append(port.Serving, service.Target{AddrPort: netip.MustParseAddrPort(endpoint)})
	}
	name := types.NamespacedName{Namespace: "ns", Name: "dns"}
	return &service.Snapshot{
		Services: map[types.NamespacedName]*service.Service{name: {
			NamespacedName: name, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")},
			ExternalIPs: []netip.Addr{netip.MustParseAddr("203.0.113.1")},
			Ports:       []service.Port{port, {Protocol: corev1.ProtocolTCP, Port: 53, Serving: port.Serving}},
		}},
		HostPorts: []service.HostPort{
			{Port: 9053, Protocol: corev1.ProtocolUDP, Target: netip.MustParseAddrPort("10.244.0.9:53")},
			{Port: 9054, Protocol: corev1.ProtocolUDP, HostIP: netip.MustParseAddr("192.0.2.1"), Target: netip.MustParseAddrPort("10.244.0.9:54")},
		},
	}
}

var services = netip.MustParsePrefix("10.96.0.0/16")

func TestStaleFlows(t *testing.T) {
	table := NewTable(world("10.244.0.1:5353", "10.244.0.2:5353"), services, netip.MustParseAddr("10.96.0.10"))
	empty := NewTable(world(), services)
	without := NewTable(&service.Snapshot{}, services)
	theirs := world("10.244.0.1:5353")
	for _, svc := range theirs.Services {
		svc.Foreign = true
	}
	foreign := NewTable(theirs, services)
	for name, test := range map[string]struct {
		table    Table
		protocol uint8
		to, by   string
		stale    bool
	}{
		"to an endpoint":                   {table, unix.IPPROTO_UDP, "10.96.0.1:53", "10.244.0.1:5353", false},
		"to one that is gone":              {table, unix.IPPROTO_UDP, "10.96.0.1:53", "10.244.0.3:5353", true},
		"to another port of an endpoint":   {table, unix.IPPROTO_UDP, "10.96.0.1:53", "10.244.0.1:53", true},
		"never translated":                 {table, unix.IPPROTO_UDP, "10.96.0.1:53", "10.96.0.1:53", true},
		"external address":                 {table, unix.IPPROTO_UDP, "203.0.113.1:53", "10.244.0.3:5353", true},
		"node port":                        {table, unix.IPPROTO_UDP, "192.0.2.1:30053", "10.244.0.3:5353", true},
		"TCP":                              {table, unix.IPPROTO_TCP, "10.96.0.1:53", "10.244.0.3:5353", false},
		"a port that the service has not":  {table, unix.IPPROTO_UDP, "10.96.0.1:54", "10.244.0.3:5353", true},
		"no such service":                  {table, unix.IPPROTO_UDP, "10.96.0.2:53", "10.244.0.3:5353", true},
		"cluster DNS":                      {table, unix.IPPROTO_UDP, "10.96.0.10:53", "10.96.0.10:10053", false},
		"another proxy's service":          {foreign, unix.IPPROTO_UDP, "10.96.0.1:53", "10.244.0.3:5353", false},
		"no service":                       {table, unix.IPPROTO_UDP, "198.51.100.1:53", "198.51.100.1:53", false},
		"service without endpoints":        {empty, unix.IPPROTO_UDP, "10.96.0.1:53", "10.244.0.3:5353", true},
		"its node port":                    {empty, unix.IPPROTO_UDP, "192.0.2.1:30053", "10.244.0.3:5353", true},
		"its external address":             {empty, unix.IPPROTO_UDP, "203.0.113.1:53", "10.244.0.3:5353", true},
		"service that is gone":             {without, unix.IPPROTO_UDP, "10.96.0.1:53", "10.244.0.1:5353", true},
		"its node port too":                {without, unix.IPPROTO_UDP, "192.0.2.1:30053", "10.244.0.1:5353", true},
		"its external address too":         {without, unix.IPPROTO_UDP, "203.0.113.1:53", "10.244.0.1:5353", true},
		"what others led there":            {without, unix.IPPROTO_UDP, "203.0.113.1:53", "10.7.7.7:53", false},
		"a program of the node":            {without, unix.IPPROTO_UDP, "192.0.2.1:30053", "192.0.2.1:30053", false},
		"host port":                        {table, unix.IPPROTO_UDP, "192.0.2.1:9053", "10.244.0.9:53", false},
		"host port of the pod before":      {table, unix.IPPROTO_UDP, "192.0.2.1:9053", "10.244.0.8:53", true},
		"the same port of another machine": {table, unix.IPPROTO_UDP, "198.51.100.1:9053", "198.51.100.1:9053", false},
		"node port of another machine":     {table, unix.IPPROTO_UDP, "198.51.100.1:30053", "198.51.100.1:30053", false},
		"host port, one address":           {table, unix.IPPROTO_UDP, "192.0.2.1:9054", "10.244.0.8:54", true},
		"host port, of another's address":  {table, unix.IPPROTO_UDP, "192.0.2.2:9054", "192.0.2.2:9054", false},
	} {
		t.Run(name, func(t *testing.T) {
			to, by := netip.MustParseAddrPort(test.to), netip.MustParseAddrPort(test.by)
			flow := &netlink.ConntrackFlow{
				Forward: netlink.IPTuple{Protocol: test.protocol, DstIP: net.IP(to.Addr().AsSlice()), DstPort: to.Port()},
				Reverse: netlink.IPTuple{Protocol: test.protocol, SrcIP: net.IP(by.Addr().AsSlice()).To16(), SrcPort: by.Port()},
			}
			c := cleaner{now: test.table, before: table, local: map[netip.Addr]bool{
				netip.MustParseAddr("192.0.2.1"): true, netip.MustParseAddr("192.0.2.2"): true,
			}}
			if got := c.MatchConntrackFlow(flow); got != test.stale {
				t.Errorf("stale: %v, want %v", got, test.stale)
			}
		})
	}
}

func TestTablesAreEqualWhenNothingUDPHasChanged(t *testing.T) {
	one, two := world("10.244.0.1:5353"), world("10.244.0.1:5353", "10.244.0.2:5353")
	if !NewTable(one, services).Equal(NewTable(world("10.244.0.1:5353"), services)) {
		t.Error("the same is not equal")
	}
	if NewTable(one, services).Equal(NewTable(two, services)) || NewTable(one, services).Equal(NewTable(world(), services)) || NewTable(one, services).Equal(Table{}) {
		t.Error("different ones are equal")
	}
}
