package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// summary answers with what the node and its Pods use.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/#summary-api-source
func (s *Server) summary(w http.ResponseWriter, r *http.Request) {
	out, err := s.summarize(r.Context(), r.FormValue("only_cpu_and_memory") != "true")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, out)
}

// summarize measures more than processors and memory only if that is wanted.
func (s *Server) summarize(ctx context.Context, all bool) (*statsapi.Summary, error) {
	seen, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	used := machineUsage()
	out := &statsapi.Summary{Node: nodeStats(s.NodeName, used, time.Now()), Pods: []statsapi.PodStats{}}
	for _, stats := range seen.stats {
		out.Pods = append(out.Pods, seen.podStats(stats))
	}
	if !all {
		for i := range out.Pods {
			out.Pods[i].Network, out.Pods[i].ProcessStats = nil, nil
		}
		return out, nil
	}
	d, err := s.measureDisks(ctx, seen)
	if err != nil {
		return nil, err
	}
	for i, stats := range seen.stats {
		d.addTo(&out.Pods[i], seen.running(stats))
	}
	out.Node.Fs, out.Node.Runtime = d.node(), d.runtime()
	out.Node.Network = networkStats(machineInterfaces(), out.Node.CPU.Time)
	out.Node.Rlimit, err = s.threads(out.Node.CPU.Time)
	return out, err
}

// look is what the runtime tells of Pods at one moment.
type look struct {
	stats      []*runtimeapi.PodSandboxStats
	sandboxes  map[string]*runtimeapi.PodSandbox
	containers map[string]*runtimeapi.Container // those that run
}

// look asks the runtime. Sandboxes that were replaced are left out.
func (s *Server) look(ctx context.Context) (*look, error) {
	sandboxes, err := s.Runtime.ListPodSandbox(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing sandboxes: %w", err)
	}
	containers, err := s.Runtime.ListContainers(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	stats, err := s.Runtime.ListPodSandboxStats(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing figures of sandboxes: %w", err)
	}
	l := &look{sandboxes: latest(sandboxes), containers: map[string]*runtimeapi.Container{}}
	for _, c := range containers {
		if c.State == runtimeapi.ContainerState_CONTAINER_RUNNING {
			l.containers[c.Id] = c
		}
	}
	for _, one := range stats {
		if l.sandboxes[one.GetAttributes().GetId()] != nil {
			l.stats = append(l.stats, one)
		}
	}
	return l, nil
}

// latest returns the sandbox of each Pod that is ready, or else the newest, by its ID.
func latest(sandboxes []*runtimeapi.PodSandbox) map[string]*runtimeapi.PodSandbox {
	best := map[types.NamespacedName]*runtimeapi.PodSandbox{}
	ready := func(s *runtimeapi.PodSandbox) int {
		if s.State == runtimeapi.PodSandboxState_SANDBOX_READY {
			return 1
		}
		return 0
	}
	for _, s := range sandboxes {
		key := types.NamespacedName{Namespace: s.GetMetadata().GetNamespace(), Name: s.GetMetadata().GetName()}
		b := best[key]
		if b == nil || cmp.Or(cmp.Compare(ready(s), ready(b)), cmp.Compare(s.CreatedAt, b.CreatedAt)) > 0 {
			best[key] = s
		}
	}
	out := map[string]*runtimeapi.PodSandbox{}
	for _, s := range best {
		out[s.Id] = s
	}
	return out
}

// running are the figures of a Pod's containers that run, by name.
func (l *look) running(stats *runtimeapi.PodSandboxStats) (list []*runtimeapi.ContainerStats) {
	for _, c := range stats.GetLinux().GetContainers() {
		if l.containers[c.GetAttributes().GetId()] != nil {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *runtimeapi.ContainerStats) int { return cmp.Compare(containerName(a), containerName(b)) })
	return list
}

func containerName(c *runtimeapi.ContainerStats) string {
	return c.GetAttributes().GetLabels()[runtime.LabelContainerName]
}

// podStats are a Pod's figures without those of its disk. The containers are in the order of running.
func (l *look) podStats(stats *runtimeapi.PodSandboxStats) statsapi.PodStats {
	a, linux := stats.GetAttributes(), stats.GetLinux()
	out := statsapi.PodStats{
		PodRef: statsapi.PodReference{
			Name: a.GetMetadata().GetName(), Namespace: a.GetMetadata().GetNamespace(), UID: a.GetMetadata().GetUid(),
		},
		StartTime: at(l.sandboxes[a.GetId()].GetCreatedAt()),
		CPU:       cpu(linux.GetCpu()), Memory: memory(linux.GetMemory()),
		Containers: []statsapi.ContainerStats{},
	}
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
	for _, c := range l.running(stats) {
		out.Containers = append(out.Containers, statsapi.ContainerStats{
			Name: containerName(c), StartTime: at(l.containers[c.GetAttributes().GetId()].GetCreatedAt()),
			CPU: cpu(c.Cpu), Memory: memory(c.Memory), Swap: swap(c.Swap),
		})
	}
	out.Swap = swapOf(out.Containers)
	return out
}

// swapOf is what containers have together, nil where nothing is known: runtimes do not tell it of Pods.
func swapOf(containers []statsapi.ContainerStats) (all *statsapi.SwapStats) {
	for i := range containers {
		one := containers[i].Swap
		if one == nil {
			continue
		}
		if all == nil {
			all = &statsapi.SwapStats{SwapAvailableBytes: new(uint64), SwapUsageBytes: new(uint64)}
		}
		all.Time = one.Time
		*all.SwapAvailableBytes += ptr.Deref(one.SwapAvailableBytes, 0)
		*all.SwapUsageBytes += ptr.Deref(one.SwapUsageBytes, 0)
	}
	return all
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

func swap(s *runtimeapi.SwapUsage) *statsapi.SwapStats {
	if s == nil {
		return nil
	}
	return &statsapi.SwapStats{Time: at(s.Timestamp), SwapAvailableBytes: value(s.SwapAvailableBytes), SwapUsageBytes: value(s.SwapUsageBytes)}
}

func at(nanoseconds int64) metav1.Time { return metav1.NewTime(time.Unix(0, nanoseconds)) }

func value(v *runtimeapi.UInt64Value) *uint64 {
	if v == nil {
		return nil
	}
	return &v.Value
}
