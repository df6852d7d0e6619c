package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coracle-k8s/coracle/cmd/agent"
	"github.com/coracle-k8s/coracle/cmd/host"
	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/resources"
)

func agentCommand() *cobra.Command {
	var o agent.Options
	var log host.Log
	c := &cobra.Command{
		Use: "agent --server https://HOST:6443 --token-file FILE", Short: "Join this machine to a cluster as a node, and run the node in the foreground", Args: cobra.NoArgs,
		Long: "Join this machine to a cluster as a node, and run the node in the foreground: kubelet, Service proxy, cluster DNS, container runtime.\n" +
			"`coracle token create` on the server prints the token, which is needed once: a machine that has joined has certificates of its own.\n" +
			"Containers live on when it ends; it finds them when it starts again.",
		RunE: func(c *cobra.Command, _ []string) error {
			takeToken(&o)
			if err := completeAgent(&o); err != nil {
				return err
			}
			return host.ServeAgent(c.Context(), o, log)
		},
	}
	agentFlags(c.Flags(), &o)
	logFlags(c.Flags(), &log)
	once(c.Flags())
	return c
}

func completeAgent(o *agent.Options) error {
	if err := host.RememberAgent(o); err != nil {
		return err
	}
	return o.Complete()
}

// tokenVariable of the environment has the token, where no flag says where it is.
const tokenVariable = "CORACLE_TOKEN"

// takeToken takes the token from the command line, where everybody on this machine can read it for as long as the process runs, and
// from the environment, which containers' processes would inherit.
func takeToken(o *agent.Options) {
	if o.Token == "" && o.TokenFile == "" {
		o.Token = os.Getenv(tokenVariable)
	}
	os.Unsetenv(tokenVariable)
	o.Token = strings.Clone(o.Token)
	host.HideArgument(o.Token)
}

func agentFlags(f *pflag.FlagSet, o *agent.Options) {
	f.StringVar(&o.Server, "server", "", "URL of the cluster's API, https://HOST:6443 (default: that of the last time)")
	f.StringVar(&o.TokenFile, "token-file", "", "File with the token that lets this machine join, - for standard input; ignored once it has (default: $"+tokenVariable+")")
	f.StringVar(&o.Token, "token", "", "The token itself; other users of this machine may see it for a moment")
	f.DurationVar(&o.CertificateLife, "certificate-life", 0, "How long the node's certificates are to be valid, 10m at least (default: what the server gives, a year)")
	dataDirFlag(f, &o.DataDir, node.DefaultDataDir, "Where all state is kept")
	f.StringVar(&o.IP, "node-ip", "", "Address of this node (default: that of the way to the server)")
	f.StringVar(&o.Name, "node-name", "", "Name of this node (default: that of the last time, or the host's name)")
	f.StringVar(&o.CgroupRoot, "cgroup-root", "/", "Cgroup that holds the Pods' cgroup")
	f.StringVar(&o.RuntimeEndpoint, "container-runtime-endpoint", "", "Socket of a CRI runtime to use instead of the embedded containerd")
	f.IntVar(&o.KubeletPort, "kubelet-port", 10250, "Port of the kubelet")
	f.StringVar(&o.EvictionHard, "eviction-hard", eviction.Default, "When the node is so short of something that Pods must go; what is not named has no threshold")
	f.DurationVar(&o.EvictionTransition, "eviction-pressure-transition-period", eviction.Transition, "How long the node says that it is short of something when it is no more")
	f.StringVar(&o.MemoryReservation, "memory-reservation-policy", resources.ReserveNone, "Whether Pods are kept the memory that they request, with cgroups of version 2: None or TieredReservation")
	f.Float64Var(&o.MemoryThrottling, "memory-throttling-factor", 0, "From where between its request and its limit a container is made to give memory back, with cgroups of version 2 (0: nowhere, up to 1)")
	f.StringSliceVar(&o.UnsafeSysctls, "allowed-unsafe-sysctls", nil, "Kernel parameters that Pods of this node may set besides the safe ones: names, or prefixes that end in *")
	f.StringVar(&o.ResolvConf, "resolv-conf", "", "Resolver configuration that Pods inherit; the machine's own, or that of systemd-resolved behind it, unless set")
	f.StringVar(&o.LocalStorageDir, "local-storage-dir", "", "Where this node's local volumes are (default: storage in the data directory)")
}
