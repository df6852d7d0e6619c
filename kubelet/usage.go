package kubelet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/server"
)

// usage is what all Pods use beside disk.
func usage(ctx context.Context, p *parts) (map[types.UID]eviction.Usage, error) {
	list, err := p.runtime.ListPodSandboxStats(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := map[types.UID]eviction.Usage{}
	for _, s := range list {
		out[types.UID(s.GetAttributes().GetMetadata().GetUid())] = eviction.Usage{
			Memory: int64(s.GetLinux().GetMemory().GetWorkingSetBytes().GetValue()),
			PIDs:   int64(s.GetLinux().GetProcess().GetProcessCount().GetValue()),
		}
	}
	return out, nil
}

// containerUsage is what each running container of a Pod holds on disk. What is found until an error counts.
func (k *Kubelet) containerUsage(ctx context.Context, p *parts, pod *corev1.Pod) (map[string]eviction.Written, error) {
	_, seen, err := p.pods.Pod(pod.Namespace, pod.Name)
	if err != nil {
		return nil, err
	}
	used := map[string]eviction.Written{}
	for _, c := range seen.Alive() {
		held := used[c.Name]
		files, err := writtenBy(ctx, p, c.ID)
		held.Files = held.Files.Plus(files)
		used[c.Name] = held
		if err != nil {
			return used, fmt.Errorf("measuring what container %s wrote: %w", c.Name, err)
		}
		logs, err := disk.Of(ctx, filepath.Join(runtime.PodLogDir(k.PodLogsDir, pod), c.Name))
		held.Logs = held.Logs.Plus(logs)
		used[c.Name] = held
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return used, fmt.Errorf("measuring the logs of container %s: %w", c.Name, err)
		}
	}
	return used, nil
}

// writtenBy is what a container's own layer holds now. Where that is no overlay it is what the runtime found the last time that it
// looked.
func writtenBy(ctx context.Context, p *parts, container string) (disk.Usage, error) {
	dir, err := layerOf(ctx, p, container)
	if err != nil {
		return disk.Usage{}, err
	}
	if dir != "" {
		return disk.Of(ctx, dir)
	}
	stats, err := p.runtime.ContainerStats(ctx, container)
	if err != nil {
		return disk.Usage{}, err
	}
	return server.LastSeen(stats.GetWritableLayer()), nil
}

// layerOf is the directory that a container's own files are written to, "" where that cannot be told.
func layerOf(ctx context.Context, p *parts, container string) (string, error) {
	status, err := p.runtime.ContainerStatus(ctx, container, true)
	if err != nil {
		return "", err
	}
	return layer(status.GetInfo()["info"]), nil
}

// layer is the directory that a container's own files are written to, "" where that cannot be told. info is the runtime's, in JSON.
func layer(info string) string {
	var process struct{ PID int }
	if err := json.Unmarshal([]byte(info), &process); err != nil || process.PID == 0 {
		return ""
	}
	file, err := os.Open(filepath.Join("/proc", strconv.Itoa(process.PID), "mountinfo"))
	if err != nil {
		return ""
	}
	defer file.Close()
	root, err := mountinfo.GetMountsFromReader(file, mountinfo.SingleEntryFilter("/"))
	if err != nil || len(root) != 1 || root[0].FSType != "overlay" {
		return ""
	}
	return upperDir(root[0].VFSOptions)
}

// upperDir finds where an overlay writes, among its options.
func upperDir(options string) string {
	for option := range strings.SplitSeq(options, ",") {
		if dir, found := strings.CutPrefix(option, "upperdir="); found && filepath.IsAbs(dir) {
			return dir
		}
	}
	return ""
}
