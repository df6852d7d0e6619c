package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTicks is USER_HZ, which Linux fixes at 100 for user space.
const clockTicks = 100

// usage of memory and CPU by processes, as /proc tells.
type usage struct {
	rss, anonymous int64 // bytes
	cpu            time.Duration
}

// usageOf is that of several processes together. Pages that they share count for each.
func usageOf(pids []int) (sum usage, err error) {
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return sum, err
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return sum, err
		}
		rss, anonymous, err := memoryIn(string(status))
		if err != nil {
			return sum, fmt.Errorf("reading the memory of %d: %w", pid, err)
		}
		cpu, err := cpuIn(string(stat))
		if err != nil {
			return sum, fmt.Errorf("reading the CPU time of %d: %w", pid, err)
		}
		sum.rss, sum.anonymous, sum.cpu = sum.rss+rss, sum.anonymous+anonymous, sum.cpu+cpu
	}
	return sum, nil
}

// memoryIn reads what /proc/PID/status says in lines such as "VmRSS:   1234 kB".
func memoryIn(status string) (rss, anonymous int64, err error) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if name != "VmRSS" && name != "RssAnon" {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		if name == "VmRSS" {
			rss = kib << 10
		} else {
			anonymous = kib << 10
		}
	}
	if rss == 0 { // so it is of a process that has ended and waits to be collected
		return 0, 0, fmt.Errorf("it has ended")
	}
	return rss, anonymous, nil
}

// cpuIn reads the time, for itself and in the kernel, in /proc/PID/stat.
func cpuIn(stat string) (time.Duration, error) {
	// The command's name, in parentheses, may hold spaces: fields count from behind it. utime and stime are 14 and 15.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%q is too short", stat)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// idle measures processes over a while in which nobody asks them for anything: memory at the end, CPU as a share of one core.
func idle(pids []int, while time.Duration) (u usage, share float64, err error) {
	before, err := usageOf(pids)
	if err != nil {
		return u, 0, err
	}
	time.Sleep(while)
	u, err = usageOf(pids)
	return u, (u.cpu - before.cpu).Seconds() / while.Seconds(), err
}
