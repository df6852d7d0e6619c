package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTicks is USER_HZ, which Linux fixes at 100 for user space.
const clockTicks = 100

// usage of memory and CPU by a process, as /proc tells.
type usage struct {
	rss, anonymous int64 // bytes
	cpu            time.Duration
}

func usageOf(pid int) (u usage, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.rss = kib << 10
		case "RssAnon":
			u.anonymous = kib << 10
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The command's name, in parentheses, may hold spaces: fields count from behind it. utime and stime are 14 and 15.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, fmt.Errorf("reading the CPU time of %d: %w", pid, err)
		}
		ticks += n
	}
	u.cpu = time.Duration(ticks) * time.Second / clockTicks
	return u, nil
}

// idle measures pid over a while in which nobody asks it for anything: memory at the end, CPU as a share of one core.
func idle(pid int, while time.Duration) (u usage, share float64, err error) {
	before, err := usageOf(pid)
	if err != nil {
		return u, 0, err
	}
	time.Sleep(while)
	u, err = usageOf(pid)
	return u, (u.cpu - before.cpu).Seconds() / while.Seconds(), err
}
