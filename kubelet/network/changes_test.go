package network

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatMatters(t *testing.T) {
	message := func(kind uint16, data ...byte) syscall.NetlinkMessage {
		return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: kind}, Data: data}
	}
	link := func(kind uint16, index uint32) syscall.NetlinkMessage {
		data := make([]byte, unix.SizeofIfInfomsg)
		binary.NativeEndian.PutUint32(data[4:], index)
		return message(kind, data...)
	}
	address := func(kind uint16, scope byte) syscall.NetlinkMessage { return message(kind, 0, 0, 0, scope, 0, 0, 0, 0) }
	route := func(kind uint16, table, origin byte, to string) syscall.NetlinkMessage {
		data := append(make([]byte, unix.SizeofRtMsg), 0, 0, unix.RTA_DST, 0)
		data[4], data[5] = table, origin
		value := netip.MustParseAddr(to).AsSlice()
		binary.NativeEndian.PutUint16(data[unix.SizeofRtMsg:], uint16(4+len(value)))
		return message(kind, append(data, value...)...)
	}
	ways := map[int]bool{2: true}
	for _, test := range []struct {
		name    string
		message syscall.NetlinkMessage
		links   map[int]bool
		want    bool
	}{
		{"a link in use", link(unix.RTM_NEWLINK, 2), ways, true},
		{"a Pod's link", link(unix.RTM_DELLINK, 7), ways, false},
		{"a Pod's link, where all count", link(unix.RTM_DELLINK, 7), nil, true},
		{"an address", address(unix.RTM_NEWADDR, unix.RT_SCOPE_UNIVERSE), ways, true},
		{"the address of a link itself", address(unix.RTM_NEWADDR, unix.RT_SCOPE_LINK), ways, false},
		{"somebody's route", route(unix.RTM_NEWROUTE, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, "10.1.0.0"), ways, true},
		{"a route of another table", route(unix.RTM_NEWROUTE, unix.RT_TABLE_LOCAL, unix.RTPROT_KERNEL, "10.1.0.1"), ways, false},
		{"our route", route(unix.RTM_NEWROUTE, unix.RT_TABLE_MAIN, protocol, "10.244.1.0"), ways, false},
		{"the loss of our route", route(unix.RTM_DELROUTE, unix.RT_TABLE_MAIN, protocol, "10.244.1.0"), ways, true},
		{"an IPv6 route", route(unix.RTM_NEWROUTE, unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, "fd01::"), ways, true},
		{"a link's own IPv6 route", route(unix.RTM_NEWROUTE, unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, "fe80::"), ways, false},
		{"a neighbour", message(unix.RTM_NEWNEIGH, 0, 0, 0, 0), ways, false},
		{"too little", message(unix.RTM_NEWROUTE, 2), ways, false},
	} {
		if got := matters(test.message, test.links); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
