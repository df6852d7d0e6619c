package node

import (
	"context"
	"net/netip"
	"path/filepath"

	nodev1 "k8s.io/api/node/v1"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/kubelet"
	"github.com/coracle-k8s/coracle/kubelet/localvolumes"
	"github.com/coracle-k8s/coracle/kubelet/resources"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

func (n *Node) runKubelet(ctx context.Context) error {
	api, err := n.api(ctx)
	if err != nil {
		return err
	}
	select {
	case <-n.runtime:
	case <-ctx.Done():
		return nil
	}
	config := n.kubeletConfig(api)
	if n.options.RuntimeEndpoint == "" {
		streams, err := containerd.OpenStreams(n.options.containerd())
		if err != nil {
			return err
		}
		defer streams.Close()
		config.Streams = streams
	}
	k, err := kubelet.New(config)
	if err != nil {
		return err
	}
	api.Informers.Start(ctx.Done())
	return k.Run(ctx)
}

func (n *Node) kubeletConfig(api *API) kubelet.Config {
	o, core := n.options, api.Informers.Core().V1()
	classes := api.Informers.Node().V1().RuntimeClasses().Lister()
	local := localvolumes.NewKeeper(o.Pool())
	local.Sweep()                                                               // of what was deleted before
	qos, _ := resources.ParseMemoryQoS(o.MemoryReservation, o.MemoryThrottling) // checked with the other options
	return kubelet.Config{
		MemoryQoS: qos,
		NodeName:  o.Name, NodeIPs: []netip.Addr{netip.MustParseAddr(o.IP)}, Client: api.Client,
		Pods: core.Pods().Informer(), Nodes: core.Nodes().Informer(), Services: core.Services().Informer(),
		RuntimeClass: func(name string) (*nodev1.RuntimeClass, error) { return classes.Get(name) },
		Objects:      api.Objects, RuntimeEndpoint: o.runtimeEndpoint(), SandboxSeccomp: o.sandboxSeccomp(), CgroupRoot: o.CgroupRoot,
		ClusterDNS: []netip.Addr{api.Cluster.DNS}, ClusterDomain: api.Cluster.Domain, Port: int32(o.KubeletPort),
		Certificate: api.Certificate, ClientCA: api.ClientCA, ServerUser: api.ServerUser,
		ClientExpires: api.ClientExpires, ProcessMetrics: api.ProcessMetrics,
		JoinNetwork: n.network.Join, EvictionHard: o.EvictionHard, EvictionTransition: o.EvictionTransition, UnsafeSysctls: o.UnsafeSysctls, ResolvConf: o.ResolvConf,
		// Beside the images, so that records and images are of one another.
		PullRecordsDir: filepath.Join(o.DataDir, "image_manager"), Sweep: o.sweep(), LocalVolumes: local,
		Annotations: map[string]string{volume.LocalRoom: local.Room()},
	}
}
