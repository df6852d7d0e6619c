package meter

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
)

// clockTicks is how many of the kernel's clock ticks are a second.
const clockTicks = 100

// memoryStatsV1 are those of what is in a group and below it.
var memoryStatsV1 = map[string]Figure{
	"total_rss": MemoryRSS, "total_cache": MemoryCache, "total_mapped_file": MemoryMapped, "total_swap": MemorySwap,
	"total_active_file": MemoryActiveFile, "total_inactive_file": MemoryInactiveFile,
	"total_pgfault": MemoryFaults, "total_pgmajfault": MemoryMajorFaults,
}

func (m *Meter) readV1(r *Reading, group string) {
	in := func(controller, file string) string { return filepath.Join(m.mount, controller, group, file) }
	if n, ok := firstNumber(readFile(in("cpuacct", "cpuacct.usage"))); ok {
		r.Set(CPU, n/1e9)
	}
	pairs(readFile(in("cpuacct", "cpuacct.stat")), func(name string, n float64) {
		switch name {
		case "user":
			r.Set(CPUUser, n/clockTicks)
		case "system":
			r.Set(CPUSystem, n/clockTicks)
		}
	})
	r.from(CPUShares, in("cpu", "cpu.shares"))
	r.from(CPUPeriod, in("cpu", "cpu.cfs_period_us"))
	if quota, ok := firstNumber(readFile(in("cpu", "cpu.cfs_quota_us"))); ok && quota > 0 {
		r.Set(CPUQuota, quota)
		pairs(readFile(in("cpu", "cpu.stat")), func(name string, n float64) {
			switch name {
			case "nr_periods":
				r.Set(CPUPeriods, n)
			case "nr_throttled":
				r.Set(CPUThrottledPeriods, n)
			case "throttled_time":
				r.Set(CPUThrottled, n/1e9)
			}
		})
	}
	m.memoryV1(r, in)
	r.from(Threads, in("pids", "pids.current"))
	r.limitFrom(ThreadsMax, in("pids", "pids.max"))
	r.countLines(Processes, in("pids", "cgroup.procs"))
	m.disksV1(r, in)
}

func (m *Meter) memoryV1(r *Reading, in func(controller, file string) string) {
	r.from(MemoryUsage, in("memory", "memory.usage_in_bytes"))
	r.from(MemoryMaxUsage, in("memory", "memory.max_usage_in_bytes"))
	r.from(MemoryFailures, in("memory", "memory.failcnt"))
	r.from(MemoryKernel, in("memory", "memory.kmem.usage_in_bytes"))
	r.limitFrom(MemoryLimit, in("memory", "memory.limit_in_bytes"))
	r.limitFrom(MemorySwapLimit, in("memory", "memory.memsw.limit_in_bytes"))
	r.limitFrom(MemoryReservation, in("memory", "memory.soft_limit_in_bytes"))
	pairs(readFile(in("memory", "memory.stat")), func(name string, n float64) {
		if f, is := memoryStatsV1[name]; is {
			r.Set(f, n)
		}
	})
	pairs(readFile(in("memory", "memory.oom_control")), func(name string, n float64) {
		if name == "oom_kill" {
			r.Set(OOMKills, n)
		}
	})
	r.workingSet()
}

// disksV1 reads lines as "254:0 Read 4096".
func (m *Meter) disksV1(r *Reading, in func(controller, file string) string) {
	read := func(file string, reads, writes func(*Disk) *float64) {
		for line := range bytes.Lines(readFile(in("blkio", file))) {
			fields := strings.Fields(string(line))
			if len(fields) != 3 {
				continue
			}
			n, err := strconv.ParseFloat(fields[2], 64)
			if err != nil {
				continue
			}
			switch fields[1] {
			case "Read":
				*reads(m.disk(r, fields[0])) = n
			case "Write":
				*writes(m.disk(r, fields[0])) = n
			}
		}
	}
	read("blkio.throttle.io_service_bytes_recursive", func(d *Disk) *float64 { return &d.ReadBytes }, func(d *Disk) *float64 { return &d.WrittenBytes })
	read("blkio.throttle.io_serviced_recursive", func(d *Disk) *float64 { return &d.Reads }, func(d *Disk) *float64 { return &d.Writes })
}

// disk returns what is known of a device, by its number, until the next is asked for.
func (m *Meter) disk(r *Reading, number string) *Disk {
	name := m.device(number)
	for i := range r.Disks {
		if r.Disks[i].Device == name {
			return &r.Disks[i]
		}
	}
	r.Disks = append(r.Disks, Disk{Device: name})
	return &r.Disks[len(r.Disks)-1]
}
