package cadvisor

import (
	"time"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/meter"
)

// subject is a control group: what is known of it, and the labels that tell it from others.
type subject struct {
	labels   string
	reading  *meter.Reading
	networks []meter.Interface
	started  time.Time
	used     disk.Usage
	space    disk.Space // nothing where what is used is not known
	device   string
}

// emit takes a sample, and the labels that it has beside its subject's.
type emit func(more string, value float64)

// metric is one of cAdvisor's, with its words.
type metric struct {
	name, kind, help string
	samples          func(s *subject, emit emit)
}

const (
	counter = "counter"
	gauge   = "gauge"
)

func figure(f meter.Figure) func(*subject, emit) { return labelled("", f) }

func labelled(more string, f meter.Figure) func(*subject, emit) {
	return func(s *subject, emit emit) {
		if n, known := s.reading.Get(f); known {
			emit(more, n)
		}
	}
}

func disks(of func(*meter.Disk) float64) func(*subject, emit) {
	return func(s *subject, emit emit) {
		for i := range s.reading.Disks {
			emit(pair("device", s.reading.Disks[i].Device), of(&s.reading.Disks[i]))
		}
	}
}

func networks(of func(*meter.Interface) float64) func(*subject, emit) {
	return func(s *subject, emit emit) {
		for i := range s.networks {
			emit(pair("interface", s.networks[i].Name), of(&s.networks[i]))
		}
	}
}

func held(of func(*subject) int64) func(*subject, emit) {
	return func(s *subject, emit emit) {
		if !s.space.At.IsZero() {
			emit(pair("device", s.device), float64(of(s)))
		}
	}
}

func failures(emit emit, kind string, n float64) {
	for _, scope := range []string{"container", "hierarchy"} {
		emit(pair("failure_type", kind)+","+pair("scope", scope), n)
	}
}

// metrics are in the order of their names. container_last_seen and container_start_time_seconds are told apart from these.
var metrics = []metric{
	{"container_cpu_cfs_periods_total", counter, "Number of elapsed enforcement period intervals.", figure(meter.CPUPeriods)},
	{"container_cpu_cfs_throttled_periods_total", counter, "Number of throttled period intervals.", figure(meter.CPUThrottledPeriods)},
	{"container_cpu_cfs_throttled_seconds_total", counter, "Total time duration the container has been throttled.", figure(meter.CPUThrottled)},
	{"container_cpu_system_seconds_total", counter, "Cumulative system cpu time consumed in seconds.", figure(meter.CPUSystem)},
	{"container_cpu_usage_seconds_total", counter, "Cumulative cpu time consumed in seconds.", labelled(`cpu="total"`, meter.CPU)},
	{"container_cpu_user_seconds_total", counter, "Cumulative user cpu time consumed in seconds.", figure(meter.CPUUser)},
	{"container_fs_inodes_free", gauge, "Number of available Inodes", held(func(s *subject) int64 { return s.space.InodesFree })},
	{"container_fs_inodes_total", gauge, "Number of Inodes", held(func(s *subject) int64 { return s.space.Inodes })},
	{"container_fs_limit_bytes", gauge, "Number of bytes that can be consumed by the container on this filesystem.", held(func(s *subject) int64 { return s.space.Bytes })},
	{"container_fs_reads_bytes_total", counter, "Cumulative count of bytes read", disks(func(d *meter.Disk) float64 { return d.ReadBytes })},
	{"container_fs_reads_total", counter, "Cumulative count of reads completed", disks(func(d *meter.Disk) float64 { return d.Reads })},
	{"container_fs_usage_bytes", gauge, "Number of bytes that are consumed by the container on this filesystem.", held(func(s *subject) int64 { return s.used.Bytes })},
	{"container_fs_writes_bytes_total", counter, "Cumulative count of bytes written", disks(func(d *meter.Disk) float64 { return d.WrittenBytes })},
	{"container_fs_writes_total", counter, "Cumulative count of writes completed", disks(func(d *meter.Disk) float64 { return d.Writes })},
	{"container_memory_cache", gauge, "Number of bytes of page cache memory.", figure(meter.MemoryCache)},
	{"container_memory_failcnt", counter, "Number of memory usage hits limits", figure(meter.MemoryFailures)},
	{"container_memory_failures_total", counter, "Cumulative count of memory allocation failures.", func(s *subject, emit emit) {
		if n, known := s.reading.Get(meter.MemoryFaults); known {
			failures(emit, "pgfault", n)
		}
		if n, known := s.reading.Get(meter.MemoryMajorFaults); known {
			failures(emit, "pgmajfault", n)
		}
	}},
	{"container_memory_kernel_usage", gauge, "Size of kernel memory allocated in bytes.", figure(meter.MemoryKernel)},
	{"container_memory_mapped_file", gauge, "Size of memory mapped files in bytes.", figure(meter.MemoryMapped)},
	{"container_memory_max_usage_bytes", gauge, "Maximum memory usage recorded in bytes", figure(meter.MemoryMaxUsage)},
	{"container_memory_rss", gauge, "Size of RSS in bytes.", figure(meter.MemoryRSS)},
	{"container_memory_swap", gauge, "Container swap usage in bytes.", figure(meter.MemorySwap)},
	{"container_memory_total_active_file_bytes", gauge, "Current total active file in bytes.", figure(meter.MemoryActiveFile)},
	{"container_memory_total_inactive_file_bytes", gauge, "Current total inactive file in bytes.", figure(meter.MemoryInactiveFile)},
	{"container_memory_usage_bytes", gauge, "Current memory usage in bytes, including all memory regardless of when it was accessed", figure(meter.MemoryUsage)},
	{"container_memory_working_set_bytes", gauge, "Current working set in bytes.", figure(meter.MemoryWorkingSet)},
	{"container_network_receive_bytes_total", counter, "Cumulative count of bytes received", networks(func(i *meter.Interface) float64 { return i.Received.Bytes })},
	{"container_network_receive_errors_total", counter, "Cumulative count of errors encountered while receiving", networks(func(i *meter.Interface) float64 { return i.Received.Errors })},
	{"container_network_receive_packets_dropped_total", counter, "Cumulative count of packets dropped while receiving", networks(func(i *meter.Interface) float64 { return i.Received.Dropped })},
	{"container_network_receive_packets_total", counter, "Cumulative count of packets received", networks(func(i *meter.Interface) float64 { return i.Received.Packets })},
	{"container_network_transmit_bytes_total", counter, "Cumulative count of bytes transmitted", networks(func(i *meter.Interface) float64 { return i.Sent.Bytes })},
	{"container_network_transmit_errors_total", counter, "Cumulative count of errors encountered while transmitting", networks(func(i *meter.Interface) float64 { return i.Sent.Errors })},
	{"container_network_transmit_packets_dropped_total", counter, "Cumulative count of packets dropped while transmitting", networks(func(i *meter.Interface) float64 { return i.Sent.Dropped })},
	{"container_network_transmit_packets_total", counter, "Cumulative count of packets transmitted", networks(func(i *meter.Interface) float64 { return i.Sent.Packets })},
	{"container_oom_events_total", counter, "Count of out of memory events observed for the container", figure(meter.OOMKills)},
	{"container_pressure_cpu_stalled_seconds_total", counter, "Total time duration no tasks in the container could make progress due to CPU congestion.", figure(meter.CPUStalled)},
	{"container_pressure_cpu_waiting_seconds_total", counter, "Total time duration tasks in the container have waited due to CPU congestion.", figure(meter.CPUWaiting)},
	{"container_pressure_io_stalled_seconds_total", counter, "Total time duration no tasks in the container could make progress due to IO congestion.", figure(meter.IOStalled)},
	{"container_pressure_io_waiting_seconds_total", counter, "Total time duration tasks in the container have waited due to IO congestion.", figure(meter.IOWaiting)},
	{"container_pressure_memory_stalled_seconds_total", counter, "Total time duration no tasks in the container could make progress due to memory congestion.", figure(meter.MemoryStalled)},
	{"container_pressure_memory_waiting_seconds_total", counter, "Total time duration tasks in the container have waited due to memory congestion.", figure(meter.MemoryWaiting)},
	{"container_processes", gauge, "Number of processes running inside the container.", figure(meter.Processes)},
	{"container_spec_cpu_period", gauge, "CPU period of the container.", figure(meter.CPUPeriod)},
	{"container_spec_cpu_quota", gauge, "CPU quota of the container.", figure(meter.CPUQuota)},
	{"container_spec_cpu_shares", gauge, "CPU share of the container.", figure(meter.CPUShares)},
	{"container_spec_memory_limit_bytes", gauge, "Memory limit for the container.", figure(meter.MemoryLimit)},
	{"container_spec_memory_reservation_limit_bytes", gauge, "Memory reservation limit for the container.", figure(meter.MemoryReservation)},
	{"container_spec_memory_swap_limit_bytes", gauge, "Memory swap limit for the container.", figure(meter.MemorySwapLimit)},
	{"container_threads", gauge, "Number of threads running inside the container", figure(meter.Threads)},
	{"container_threads_max", gauge, "Maximum number of threads allowed inside the container, infinity if value is zero", figure(meter.ThreadsMax)},
}
