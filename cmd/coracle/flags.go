package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/host"
	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/resources"
)

// serverFlags are those that server and up share: up hands them on.
func serverFlags(f *pflag.FlagSet, o *cluster.Options) {
	f.BoolVar(&o.ControlPlaneOnly, "no-node", false, "The control plane alone, without kubelet and proxy; needs no root")

	dataDirFlag(f, &o.DataDir, cluster.DefaultDataDir, "Where all state is kept")
	f.IntVar(&o.HTTPSPort, "https-port", 6443, "Port of the API")
	f.StringVar(&o.BindAddress, "bind-address", "0.0.0.0", "Address to serve the API on")
	f.StringVar(&o.AdvertiseAddress, "advertise-address", "", "Where nodes and Pods reach the API (default: the address of the default route)")
	f.BoolVar(&o.UI, "ui", false, "Serve the view of the cluster at /ui, for who signs in there with a token")
	f.StringSliceVar(&o.TLSSANs, "tls-san", nil, "Further names and addresses for the API's certificate")
	f.StringVar(&o.NodeName, "node-name", "", "Name of this node (default: the host's name)")
	f.StringVar(&o.NodeIP, "node-ip", "", "Address of this node (default: the advertised address)")
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
	f.StringVar(&o.ClusterCIDR, "cluster-cidr", "10.244.0.0/16", "Addresses of Pods")
	f.VarPF((*negated)(&o.NodesBringCIDRs), "allocate-node-cidrs", "", "Give each node its part of --cluster-cidr; false where who makes nodes does").NoOptDefVal = "true"
	f.IntVar(&o.NodeCIDRMaskSize, "node-cidr-mask-size", 24, "Length of the prefix of a node's part")
	f.StringVar(&o.ServiceCIDR, "service-cidr", "10.96.0.0/16", "Addresses of Services")
	f.StringVar(&o.PodNetwork, "pod-network", bootstrap.Auto, "How nodes reach one another's Pods: auto (routes on one link, vxlan beyond), or vxlan (for clouds that drop packets with Pods' addresses)")
	f.IntVar(&o.PodNetworkPort, "pod-network-port", bootstrap.DefaultTunnelPort, "UDP port of the vxlan between nodes")
	f.StringVar(&o.ClusterDomain, "cluster-domain", "cluster.local", "Domain of cluster DNS")
	f.StringSliceVar(&o.Disable, "disable", nil, "Parts to leave out: "+strings.Join(cluster.Parts(), ", "))
	f.DurationVar(&o.NodeMonitorGrace, "node-monitor-grace-period", 0, "How long a node may be silent before it counts as lost (default 50s)")
	f.DurationVar(&o.SigningDuration, "cluster-signing-duration", 0, "The longest that a certificate is valid which is signed on request, a node's among them (default a year)")
	f.StringSliceVar(&o.EtcdServers, "etcd-servers", nil, "URLs of an external etcd (default: embedded)")
	f.StringVar(&o.EtcdCAFile, "etcd-cafile", "", "CA certificate of the external etcd")
	f.StringVar(&o.EtcdCertFile, "etcd-certfile", "", "Client certificate for the external etcd")
	f.StringVar(&o.EtcdKeyFile, "etcd-keyfile", "", "Key of --etcd-certfile")
	f.StringVar(&o.EtcdQuota, "etcd-quota", "8Gi", "Size of the embedded etcd's database at which writes are refused")
	f.DurationVar(&o.EtcdSnapshotInterval, "etcd-snapshot-interval", 0, "How often a snapshot of the embedded etcd is made (default never)")
	f.IntVar(&o.EtcdSnapshotKeep, "etcd-snapshot-keep", cluster.DefaultSnapshots, "How many of these are kept")
	f.StringVar(&o.EtcdSnapshotDir, "etcd-snapshot-dir", "", "Folder of these (default: snapshots in the data directory)")
	f.StringVar(&o.CACertFile, "ca-cert-file", "", "The cluster's CA certificate (default: made in the data directory)")
	f.StringVar(&o.CAKeyFile, "ca-key-file", "", "Key of --ca-cert-file")
	f.StringVar(&o.FrontProxyCACertFile, "requestheader-ca-cert-file", "", "CA certificate of front proxies (default: made in the data directory)")
	f.StringVar(&o.FrontProxyCAKeyFile, "requestheader-ca-key-file", "", "Key of --requestheader-ca-cert-file")
	f.StringVar(&o.ServiceAccountKeyFile, "service-account-key-file", "", "Key that signs service account tokens (default: made in the data directory)")
	f.StringVar(&o.EncryptionKeyFile, "encryption-key-file", "", "Key that encrypts Secrets at rest (default: made in the data directory)")
	f.StringVar(&o.EncryptionConfigFile, "encryption-provider-config", "", "An EncryptionConfiguration, instead of --encryption-key-file")
	f.StringVar(&o.AdmissionConfigFile, "admission-control-config-file", "", "An AdmissionConfiguration: what admission plugins are told, and folders with policies and webhooks that are no objects")
}

// values are what flags are set to. None of the server's is a secret: those are in files.
func values(f *pflag.FlagSet) map[string]string {
	all := map[string]string{}
	f.VisitAll(func(flag *pflag.Flag) { all[flag.Name] = flag.Value.String() })
	return all
}

// dataDirFlag is --data-dir. Empty it is an error, not the default: a script's variable that is not set must not mean a cluster.
func dataDirFlag(f *pflag.FlagSet, dir *string, preset, usage string) {
	*dir = preset
	f.Var((*directory)(dir), "data-dir", usage)
}

type directory string

// String implements pflag.Value.
func (d *directory) String() string { return string(*d) }

// Type implements pflag.Value.
func (d *directory) Type() string { return "string" }

// Set implements pflag.Value.
func (d *directory) Set(s string) error {
	if s == "" {
		return errors.New("it is empty")
	}
	*d = directory(s)
	return nil
}

// negated is a flag that says the opposite of what an option does.
type negated bool

// String implements pflag.Value.
func (n *negated) String() string { return strconv.FormatBool(!bool(*n)) }

// Type implements pflag.Value.
func (n *negated) Type() string { return "bool" }

// Set implements pflag.Value.
func (n *negated) Set(s string) error {
	value, err := strconv.ParseBool(s)
	*n = negated(!value)
	return err
}

// logFlags are those of what runs in the foreground.
func logFlags(f *pflag.FlagSet, log *host.Log) {
	f.StringVar(&log.File, "log-file", "", "Write the log to this file, rotated, instead of to stderr")
	f.IntVarP(&log.Verbosity, "v", "v", 0, "Log level: 0 is what an administrator wants to know, 4 is for debugging")
}
