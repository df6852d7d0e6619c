package meter

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// Traffic is what moved over a network interface.
type Traffic struct{ Bytes, Packets, Errors, Dropped float64 }

// Interface is a network interface.
type Interface struct {
	Name           string
	Received, Sent Traffic
}

// Network returns the interfaces of the network that a process is in, without its loopback; none where it is gone.
func Network(pid int) []Interface {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/net/dev")
	if err != nil {
		return nil
	}
	return parseNetwork(data)
}

// parseNetwork reads what /proc/net/dev has: two lines of headings, then one of each interface.
func parseNetwork(data []byte) (list []Interface) {
	for line := range bytes.Lines(data) {
		name, counts, ok := strings.Cut(strings.TrimSpace(string(line)), ":")
		fields := strings.Fields(counts)
		if !ok || len(fields) < 12 || name == "lo" {
			continue
		}
		count := func(i int) float64 {
			n, _ := strconv.ParseFloat(fields[i], 64) // the kernel writes numbers
			return n
		}
		list = append(list, Interface{
			Name:     name,
			Received: Traffic{Bytes: count(0), Packets: count(1), Errors: count(2), Dropped: count(3)},
			Sent:     Traffic{Bytes: count(8), Packets: count(9), Errors: count(10), Dropped: count(11)},
		})
	}
	return list
}
