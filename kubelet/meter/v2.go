package meter

import (
	"bytes"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

var memoryStatsV2 = map[string]Figure{
	"anon": MemoryRSS, "file": MemoryCache, "file_mapped": MemoryMapped, "kernel": MemoryKernel, "active_file": MemoryActiveFile,
	"inactive_file": MemoryInactiveFile, "pgfault": MemoryFaults, "pgmajfault": MemoryMajorFaults,
}

// cpuStatsV2 are in microseconds, but for the numbers of periods.
var cpuStatsV2 = map[string]Figure{"usage_usec": CPU, "user_usec": CPUUser, "system_usec": CPUSystem}

var throttlingV2 = map[string]Figure{"nr_periods": CPUPeriods, "nr_throttled": CPUThrottledPeriods, "throttled_usec": CPUThrottled}

func (m *Meter) readV2(r *Reading, dir string) {
	in := func(file string) string { return filepath.Join(dir, file) }
	quota, period, _ := strings.Cut(strings.TrimSpace(string(readFile(in("cpu.max")))), " ")
	if n, err := strconv.ParseFloat(period, 64); err == nil {
		r.Set(CPUPeriod, n)
	}
	limited := false
	if n, err := strconv.ParseFloat(quota, 64); err == nil {
		r.Set(CPUQuota, n)
		limited = true
	}
	pairs(readFile(in("cpu.stat")), func(name string, n float64) {
		if f, is := cpuStatsV2[name]; is {
			r.Set(f, n/1e6)
		}
		if f, is := throttlingV2[name]; is && limited {
			if f == CPUThrottled {
				n /= 1e6
			}
			r.Set(f, n)
		}
	})
	if weight, ok := firstNumber(readFile(in("cpu.weight"))); ok {
		r.Set(CPUShares, shares(weight))
	}
	m.memoryV2(r, in)
	r.from(Threads, in("pids.current"))
	r.limitFrom(ThreadsMax, in("pids.max"))
	r.countLines(Processes, in("cgroup.procs"))
	m.disksV2(r, readFile(in("io.stat")))
	r.pressure(CPUWaiting, CPUStalled, readFile(in("cpu.pressure")))
	r.pressure(MemoryWaiting, MemoryStalled, readFile(in("memory.pressure")))
	r.pressure(IOWaiting, IOStalled, readFile(in("io.pressure")))
}

func (m *Meter) memoryV2(r *Reading, in func(file string) string) {
	r.from(MemoryUsage, in("memory.current"))
	r.from(MemoryMaxUsage, in("memory.peak"))
	r.from(MemorySwap, in("memory.swap.current"))
	r.limitFrom(MemoryLimit, in("memory.max"))
	r.limitFrom(MemorySwapLimit, in("memory.swap.max"))
	r.limitFrom(MemoryReservation, in("memory.min"))
	pairs(readFile(in("memory.stat")), func(name string, n float64) {
		if f, is := memoryStatsV2[name]; is {
			r.Set(f, n)
		}
	})
	pairs(readFile(in("memory.events")), func(name string, n float64) {
		switch name {
		case "max":
			r.Set(MemoryFailures, n)
		case "oom_kill":
			r.Set(OOMKills, n)
		}
	})
	r.workingSet()
}

// shares are version 1's for a weight: the runtime wrote the weight by shares.
func shares(weight float64) float64 {
	switch {
	case weight <= 1:
		return 2
	case weight >= 10000:
		return 262144
	}
	// The inverse of what cgroups.ConvertCPUSharesToCgroupV2Value does: l*l + 125*l = 612 * (log10(weight) + 7/34).
	c := 612 * (math.Log10(weight) + 7.0/34)
	return math.Floor(math.Exp2((-125 + math.Sqrt(125*125+4*c)) / 2))
}

// disksV2 reads lines as "254:0 rbytes=4096 wbytes=0 rios=1 wios=0".
func (m *Meter) disksV2(r *Reading, data []byte) {
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			continue
		}
		d := m.disk(r, fields[0])
		for _, field := range fields[1:] {
			name, number, _ := strings.Cut(field, "=")
			n, err := strconv.ParseFloat(number, 64)
			if err != nil {
				continue
			}
			switch name {
			case "rbytes":
				d.ReadBytes = n
			case "wbytes":
				d.WrittenBytes = n
			case "rios":
				d.Reads = n
			case "wios":
				d.Writes = n
			}
		}
	}
}

// pressure reads lines as "some avg10=0.00 avg60=0.00 avg300=0.00 total=12".
func (r *Reading) pressure(some, full Figure, data []byte) {
	for line := range bytes.Lines(data) {
		which, rest, _ := strings.Cut(string(line), " ")
		_, number, _ := strings.Cut(rest, "total=")
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			continue
		}
		switch which {
		case "some":
			r.Set(some, n/1e6)
		case "full":
			r.Set(full, n/1e6)
		}
	}
}
