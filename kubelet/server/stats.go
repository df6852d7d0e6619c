package server

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// summary answers with what the node and its Pods use.
func (s *Server) summary(w http.ResponseWriter, r *http.Request) {
	list, err := s.Runtime.ListPodSandboxStats(r.Context(), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out := statsapi.Summary{Node: s.nodeStats()}
	for _, stats := range list {
		out.Pods = append(out.Pods, podStats(stats))
	}
	answer(w, out)
}

func podStats(stats *runtimeapi.PodSandboxStats) statsapi.PodStats {
	a := stats.GetAttributes()
	out := statsapi.PodStats{
		PodRef: statsapi.PodReference{
			Name: a.GetMetadata().GetName(), Namespace: a.GetMetadata().GetNamespace(), UID: a.GetMetadata().GetUid(),
		},
	}
	linux := stats.GetLinux()
	out.CPU, out.Memory = cpu(linux.GetCpu()), memory(linux.GetMemory())
	if p := linux.GetProcess(); p != nil {
		out.ProcessStats = &statsapi.ProcessStats{ProcessCount: value(p.ProcessCount)}
	}
	if n := linux.GetNetwork(); n != nil {
		out.Network = &statsapi.NetworkStats{Time: at(n.Timestamp)}
		if d := n.DefaultInterface; d != nil {
			out.Network.InterfaceStats = networkInterface(d)
		}
		for _, i := range n.Interfaces {
			out.Network.Interfaces = append(out.Network.Interfaces, networkInterface(i))
		}
	}
	for _, c := range linux.GetContainers() {
		cs := statsapi.ContainerStats{
			Name: c.GetAttributes().GetLabels()[runtime.LabelContainerName],
			CPU:  cpu(c.Cpu), Memory: memory(c.Memory),
		}
		if f := c.WritableLayer; f != nil {
			cs.Rootfs = &statsapi.FsStats{Time: at(f.Timestamp), UsedBytes: value(f.UsedBytes), InodesUsed: value(f.InodesUsed)}
		}
		out.Containers = append(out.Containers, cs)
	}
	slices.SortFunc(out.Containers, func(a, b statsapi.ContainerStats) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func networkInterface(i *runtimeapi.NetworkInterfaceUsage) statsapi.InterfaceStats {
	return statsapi.InterfaceStats{
		Name: i.Name, RxBytes: value(i.RxBytes), RxErrors: value(i.RxErrors), TxBytes: value(i.TxBytes), TxErrors: value(i.TxErrors),
	}
}

func cpu(c *runtimeapi.CpuUsage) *statsapi.CPUStats {
	if c == nil {
		return nil
	}
	return &statsapi.CPUStats{
		Time: at(c.Timestamp), UsageNanoCores: value(c.UsageNanoCores), UsageCoreNanoSeconds: value(c.UsageCoreNanoSeconds),
	}
}

func memory(m *runtimeapi.MemoryUsage) *statsapi.MemoryStats {
	if m == nil {
		return nil
	}
	return &statsapi.MemoryStats{
		Time: at(m.Timestamp), AvailableBytes: value(m.AvailableBytes), UsageBytes: value(m.UsageBytes),
		WorkingSetBytes: value(m.WorkingSetBytes), RSSBytes: value(m.RssBytes), PageFaults: value(m.PageFaults),
		MajorPageFaults: value(m.MajorPageFaults),
	}
}

func at(nanoseconds int64) metav1.Time { return metav1.NewTime(time.Unix(0, nanoseconds)) }

func value(v *runtimeapi.UInt64Value) *uint64 {
	if v == nil {
		return nil
	}
	return &v.Value
}

func (s *Server) nodeStats() statsapi.NodeStats {
	now := metav1.Now()
	used := machineUsage()
	out := statsapi.NodeStats{
		NodeName: s.NodeName, StartTime: metav1.NewTime(used.booted),
		CPU: &statsapi.CPUStats{Time: now, UsageCoreNanoSeconds: &used.cpuNanoseconds},
		Memory: &statsapi.MemoryStats{
			Time: now, AvailableBytes: &used.memoryAvailable, WorkingSetBytes: &used.memoryUsed, UsageBytes: &used.memoryUsed,
		},
	}
	var disk unix.Statfs_t
	if unix.Statfs(s.RootDir, &disk) == nil {
		size := uint64(disk.Bsize)
		capacity, free := disk.Blocks*size, disk.Bavail*size
		taken := capacity - disk.Bfree*size
		inodes, inodesFree, inodesUsed := disk.Files, disk.Ffree, disk.Files-disk.Ffree
		out.Fs = &statsapi.FsStats{
			Time: now, CapacityBytes: &capacity, AvailableBytes: &free, UsedBytes: &taken,
			Inodes: &inodes, InodesFree: &inodesFree, InodesUsed: &inodesUsed,
		}
	}
	return out
}

// resourceMetrics answers with what autoscaling needs, in Prometheus' text format.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/
func (s *Server) resourceMetrics(w http.ResponseWriter, r *http.Request) {
	list, err := s.Runtime.ListPodSandboxStats(r.Context(), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	used := machineUsage()
	var m metrics
	m.add("node_cpu_usage_seconds_total", "counter", "", float64(used.cpuNanoseconds)/1e9, time.Time{})
	m.add("node_memory_working_set_bytes", "gauge", "", float64(used.memoryUsed), time.Time{})
	for _, stats := range list {
		p := podStats(stats)
		pod := fmt.Sprintf("namespace=%q,pod=%q", p.PodRef.Namespace, p.PodRef.Name)
		m.usage("pod", pod, p.CPU, p.Memory)
		for _, c := range p.Containers {
			m.usage("container", fmt.Sprintf("container=%q,%s", c.Name, pod), c.CPU, c.Memory)
		}
	}
	m.add("resource_scrape_error", "gauge", "", 0, time.Time{})
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(m.String())) // a client that went away
}

// metrics collects samples by name: all samples of a name must stand together.
type metrics struct {
	names   []string
	kinds   map[string]string
	samples map[string][]string
}

func (m *metrics) usage(of, labels string, c *statsapi.CPUStats, mem *statsapi.MemoryStats) {
	if c != nil && c.UsageCoreNanoSeconds != nil {
		m.add(of+"_cpu_usage_seconds_total", "counter", labels, float64(*c.UsageCoreNanoSeconds)/1e9, c.Time.Time)
	}
	if mem != nil && mem.WorkingSetBytes != nil {
		m.add(of+"_memory_working_set_bytes", "gauge", labels, float64(*mem.WorkingSetBytes), mem.Time.Time)
	}
}

func (m *metrics) add(name, kind, labels string, v float64, t time.Time) {
	if m.samples == nil {
		m.samples, m.kinds = map[string][]string{}, map[string]string{}
	}
	if _, ok := m.samples[name]; !ok {
		m.names = append(m.names, name)
		m.kinds[name] = kind
	}
	line := name
	if labels != "" {
		line += "{" + labels + "}"
	}
	line += " " + strconv.FormatFloat(v, 'g', -1, 64)
	if !t.IsZero() {
		line += " " + strconv.FormatInt(t.UnixMilli(), 10)
	}
	m.samples[name] = append(m.samples[name], line)
}

// String is the text format.
func (m *metrics) String() string {
	var b strings.Builder
	for _, name := range m.names {
		fmt.Fprintf(&b, "# TYPE %s %s\n", name, m.kinds[name])
		for _, line := range m.samples[name] {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
