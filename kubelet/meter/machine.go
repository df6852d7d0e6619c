package meter

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Nothing is a reading of a control group of which only is known when it was made.
func (m *Meter) Nothing(group string) *Reading {
	r := newReading()
	r.created(m.birth(group))
	return r
}

// Machine reads the root of all control groups. Where that tells of processors only, as in version 2, memory is what the kernel says of the
// machine.
func (m *Meter) Machine() *Reading {
	r := m.Read("/")
	if _, known := r.Get(MemoryUsage); !known {
		r.machineMemory(readFile("/proc/meminfo"))
	}
	return r
}

// Swap is how much the machine can swap out.
func Swap() int64 {
	return int64(meminfo(readFile("/proc/meminfo"))["SwapTotal:"])
}

// machineMemory reads the form of /proc/meminfo.
func (r *Reading) machineMemory(data []byte) {
	has := meminfo(data)
	if has["MemTotal:"] == 0 {
		return
	}
	r.Set(MemoryUsage, has["MemTotal:"]-has["MemFree:"])
	r.Set(MemoryCache, has["Cached:"])
	r.Set(MemoryMapped, has["Mapped:"])
	r.Set(MemoryRSS, has["AnonPages:"])
	r.Set(MemorySwap, has["SwapTotal:"]-has["SwapFree:"])
	r.Set(MemoryActiveFile, has["Active(file):"])
	r.Set(MemoryInactiveFile, has["Inactive(file):"])
	r.workingSet()
}

func meminfo(data []byte) map[string]float64 {
	has := map[string]float64{}
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			continue
		}
		if n, err := strconv.ParseFloat(fields[1], 64); err == nil {
			has[fields[0]] = n * 1024
		}
	}
	return has
}

// notTheMachines are how interfaces are called that do not lead out of the machine.
var notTheMachines = []string{"veth", "docker", "nerdctl"}

// MachineNetwork returns the interfaces that lead out of the machine.
func (m *Meter) MachineNetwork() []Interface {
	return slices.DeleteFunc(Network(os.Getpid()), func(i Interface) bool {
		return slices.ContainsFunc(notTheMachines, func(prefix string) bool { return strings.HasPrefix(i.Name, prefix) })
	})
}
