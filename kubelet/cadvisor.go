package kubelet

import (
	"context"
	"net/http"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/cadvisor"
	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/meter"
	"github.com/coracle-k8s/coracle/kubelet/pods"
	"github.com/coracle-k8s/coracle/kubelet/resources"
)

// cadvisor tells what control groups use, of which the workers know which are whose.
func (k *Kubelet) cadvisor(p *parts, held *storage) http.Handler {
	return cadvisor.Handler(cadvisor.Config{
		Meter: meter.New(), Groups: p.groups.Above(), Dir: k.RootDir,
		Machine: func() (cadvisor.Machine, error) { return k.machine(p) },
		Pods: func() []cadvisor.Pod {
			var list []cadvisor.Pod
			for _, seen := range p.pods.Seen() {
				if group := p.groups.Path(seen.Pod.UID); group != "" {
					list = append(list, measured(seen, group))
				}
			}
			return list
		},
		Written: func(ctx context.Context) (map[string]disk.Usage, disk.Space) {
			space, _ := disk.SpaceOf(k.RootDir) // what is not known is not told
			return held.written(ctx, p.pods.Active()), space
		},
	})
}

// machine is all of the machine, whatever of it the node offers.
func (k *Kubelet) machine(p *parts) (cadvisor.Machine, error) {
	has, err := resources.Offer{Dir: k.RootDir}.Capacity()
	if err != nil {
		return cadvisor.Machine{}, err
	}
	m := cadvisor.Machine{Cores: has.Cpu().Value(), Memory: has.Memory().Value(), Swap: meter.Swap()}
	if node := p.node.Latest(); node != nil {
		info := node.Status.NodeInfo
		m.MachineID, m.SystemUUID, m.BootID = info.MachineID, info.SystemUUID, info.BootID
		m.KernelVersion, m.OSVersion = info.KernelVersion, info.OSImage
	}
	return m, nil
}

// measured is a Pod with its containers that run.
func measured(seen pods.Seen, group string) cadvisor.Pod {
	out := cadvisor.Pod{
		Namespace: seen.Pod.Namespace, Name: seen.Pod.Name, UID: seen.Pod.UID, Group: group, HostNetwork: seen.Pod.Spec.HostNetwork,
	}
	if s := seen.Runtime.Sandbox(); s != nil && s.Ready {
		out.Sandbox, out.HostNetwork = s.ID, s.HostNetwork
	}
	for _, c := range seen.Runtime.Alive() {
		out.Containers = append(out.Containers, cadvisor.Container{ID: c.ID, Name: c.Name, Image: c.Image, Started: c.StartedAt})
	}
	return out
}

// written is what containers' own layers hold, by the containers' IDs, as the ledger last saw them.
func (s *storage) written(ctx context.Context, pods []*corev1.Pod) map[string]disk.Usage {
	layers := s.findLayers(ctx, pods)
	var dirs []string
	for _, of := range layers {
		for _, dir := range of {
			dirs = append(dirs, dir)
		}
	}
	known := s.ledger.Ask(ctx, dirs)
	out := map[string]disk.Usage{}
	for _, of := range layers {
		for container, dir := range of {
			if used, ok := known[dir]; ok {
				out[container] = used
			}
		}
	}
	return out
}
