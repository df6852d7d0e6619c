package server

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTicks is how many of the kernel's clock ticks, as /proc counts them, are a second.
const clockTicks = 100

// usage is what the machine as a whole uses.
type usage struct {
	cpuNanoseconds              uint64
	memoryUsed, memoryAvailable uint64
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
	var total uint64
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseUint(fields[1], 10, 64)
		switch fields[0] {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			u.memoryAvailable = kib << 10
		}
	}
	u.memoryUsed = total - u.memoryAvailable
	return u
}
