// Package meter reads what control groups of either version have used and may use, and what moved over a process's network. It asks nobody
// but the kernel, and only when it is asked itself.
package meter

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// Figure is something that can be known of a control group.
type Figure int

// The figures. Times are in seconds, sizes in bytes.
const (
	CPU Figure = iota
	CPUUser
	CPUSystem
	CPUPeriods
	CPUThrottledPeriods
	CPUThrottled

	MemoryUsage
	MemoryMaxUsage
	MemoryWorkingSet
	MemoryRSS
	MemoryCache
	MemoryMapped
	MemorySwap
	MemoryKernel
	MemoryActiveFile
	MemoryInactiveFile
	MemoryFailures // how often the limit was hit
	MemoryFaults
	MemoryMajorFaults
	OOMKills

	Processes
	Threads
	ThreadsMax // 0 is no limit

	CPUShares
	CPUQuota // in microseconds; unknown where there is none
	CPUPeriod
	MemoryLimit // 0 is no limit, of the next two, too
	MemorySwapLimit
	MemoryReservation

	// Of version 2 only: how long some, or all, waited.
	CPUWaiting
	CPUStalled
	MemoryWaiting
	MemoryStalled
	IOWaiting
	IOStalled

	count
)

// Reading is what was read of a control group.
type Reading struct {
	figures [count]float64
	Disks   []Disk
	// Created is when the group was made, zero where that is not known.
	Created time.Time
}

// Disk is what was read from and written to a block device.
type Disk struct {
	Device                                 string
	ReadBytes, WrittenBytes, Reads, Writes float64
}

// Get returns a figure, and whether it is known.
func (r *Reading) Get(f Figure) (value float64, known bool) {
	return r.figures[f], !math.IsNaN(r.figures[f])
}

// Set makes a figure known.
func (r *Reading) Set(f Figure, value float64) { r.figures[f] = value }

func newReading() *Reading {
	r := &Reading{}
	for i := range r.figures {
		r.figures[i] = math.NaN()
	}
	return r
}

// Meter reads control groups.
type Meter struct {
	mount   string
	unified bool
	device  func(number string) string
}

// New returns a meter of this machine's control groups.
func New() *Meter {
	return &Meter{mount: "/sys/fs/cgroup", unified: cgroups.IsCgroup2UnifiedMode(), device: deviceName}
}

// Read reads a control group by its path from the root. Of one that is not there nothing is known.
func (m *Meter) Read(group string) *Reading {
	r := newReading()
	if m.unified {
		m.readV2(r, filepath.Join(m.mount, group))
	} else {
		m.readV1(r, group)
	}
	r.created(m.birth(group))
	return r
}

// birth is a file of a control group that nobody writes to.
func (m *Meter) birth(group string) string {
	if m.unified {
		return filepath.Join(m.mount, group, "cgroup.events")
	}
	return filepath.Join(m.mount, "cpu", group, "cgroup.clone_children")
}

// created takes the time of a file.
func (r *Reading) created(path string) {
	if info, err := os.Stat(path); err == nil {
		r.Created = info.ModTime()
	}
}

// PID returns a process of a control group, 0 where it has none.
func (m *Meter) PID(group string) int {
	dir := filepath.Join(m.mount, group)
	if !m.unified {
		dir = filepath.Join(m.mount, "pids", group)
	}
	pid, _ := firstNumber(readFile(filepath.Join(dir, "cgroup.procs")))
	return int(pid)
}

// DeviceOf is the block device that a directory's file system is on, "" where it is on none of its own.
func DeviceOf(dir string) string {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return ""
	}
	return deviceName(fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
}

// deviceName is how the kernel calls a block device.
func deviceName(number string) string {
	link, err := os.Readlink("/sys/dev/block/" + number)
	if err != nil {
		return ""
	}
	return "/dev/" + filepath.Base(link)
}
