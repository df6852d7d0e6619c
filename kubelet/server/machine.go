package server

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/coracle-k8s/coracle/kubelet/meter"
)

// clockTicks is how many of the kernel's clock ticks, as /proc counts them, are a second.
const clockTicks = 100

// usage is what the machine as a whole uses.
type usage struct {
	cpuNanoseconds              uint64
	memoryUsed, memoryAvailable uint64
	swapUsed, swapAvailable     uint64
	booted                      time.Time
}

// machineUsage reads /proc; what cannot be read is nought.
func machineUsage() usage {
	var u usage
	stat, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(stat)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 8 && fields[0] == "cpu":
			for i, f := range fields[1:9] {
				if i == 3 || i == 4 {
					continue // idle, waiting for a disk
				}
				ticks, _ := strconv.ParseUint(f, 10, 64)
				u.cpuNanoseconds += ticks * uint64(time.Second/clockTicks)
			}
		case len(fields) == 2 && fields[0] == "btime":
			seconds, _ := strconv.ParseInt(fields[1], 10, 64)
			u.booted = time.Unix(seconds, 0)
		}
	}
	info, _ := os.ReadFile("/proc/meminfo")
	read := map[string]uint64{}
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			kib, _ := strconv.ParseUint(fields[1], 10, 64)
			read[fields[0]] = kib << 10
		}
	}
	u.memoryAvailable, u.swapAvailable = read["MemAvailable:"], read["SwapFree:"]
	u.memoryUsed, u.swapUsed = read["MemTotal:"]-u.memoryAvailable, read["SwapTotal:"]-u.swapAvailable
	return u
}

// MachineUse is what the machine as a whole has used.
func MachineUse() (meter.Use, error) {
	u := machineUsage()
	if u.cpuNanoseconds == 0 {
		return meter.Use{}, errors.New("/proc/stat tells nothing of processors")
	}
	return meter.Use{CPU: time.Duration(u.cpuNanoseconds), Memory: u.memoryUsed}, nil
}

// nodeStats are the node's figures of processors and memory.
func nodeStats(name string, used usage, now time.Time) statsapi.NodeStats {
	t := metav1.NewTime(now)
	return statsapi.NodeStats{
		NodeName: name, StartTime: metav1.NewTime(used.booted),
		CPU: &statsapi.CPUStats{Time: t, UsageCoreNanoSeconds: &used.cpuNanoseconds},
		Memory: &statsapi.MemoryStats{
			Time: t, AvailableBytes: &used.memoryAvailable, WorkingSetBytes: &used.memoryUsed, UsageBytes: &used.memoryUsed,
		},
		Swap: &statsapi.SwapStats{Time: t, SwapAvailableBytes: &used.swapAvailable, SwapUsageBytes: &used.swapUsed},
	}
}

// machineInterfaces reads what the machine's network interfaces moved, in the form of /proc/net/dev.
func machineInterfaces() string {
	data, _ := os.ReadFile("/proc/net/dev") // what cannot be read has no interfaces
	return string(data)
}

// notTheMachines are how interfaces are called that do not lead out of the machine, as upstream leaves them out.
var notTheMachines = []string{"lo", "veth", "docker", "nerdctl"}

// networkStats are what interfaces moved. That which is called eth0 stands for all, as upstream has it.
func networkStats(devices string, now metav1.Time) *statsapi.NetworkStats {
	out := &statsapi.NetworkStats{Time: now}
	for line := range strings.Lines(devices) {
		name, counts, ok := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(counts)
		if !ok || len(fields) < 11 || slices.ContainsFunc(notTheMachines, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		count := func(i int) *uint64 {
			n, _ := strconv.ParseUint(fields[i], 10, 64) // the kernel writes numbers
			return &n
		}
		one := statsapi.InterfaceStats{Name: name, RxBytes: count(0), RxErrors: count(2), TxBytes: count(8), TxErrors: count(10)}
		out.Interfaces = append(out.Interfaces, one)
		if name == "eth0" {
			out.InterfaceStats = one
		}
	}
	return out
}

// threads are how many threads the machine may have, and has.
func (s *Server) threads(now metav1.Time) (*statsapi.RlimitStats, error) {
	limit, running, err := s.Threads()
	if err != nil {
		return nil, fmt.Errorf("counting threads: %w", err)
	}
	return &statsapi.RlimitStats{Time: now, MaxPID: &limit, NumOfRunningProcesses: &running}, nil
}
