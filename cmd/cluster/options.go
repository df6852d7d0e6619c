package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/resources"
	"github.com/coracle-k8s/coracle/registry/server"
)

// Version of coracle; the build sets it.
var Version = "0.1.0-dev"

const (
	// DefaultDataDir is where a cluster keeps its state unless told otherwise.
	DefaultDataDir = node.DefaultDataDir
	// AdminKubeconfig is the name of the administrator's kubeconfig in the data directory.
	AdminKubeconfig = "admin.conf"
)

// Options say what a server is. The zero value, completed, is a single-node cluster on the default ports.
type Options struct {
	// DataDir holds all state: certificates, etcd, images, containers.
	DataDir string
	// BindAddress and HTTPSPort are where the API is served. Port -1 takes a free one.
	BindAddress string
	HTTPSPort   int
	// AdvertiseAddress is where nodes and Pods reach the API server; the address of the default route unless set.
	AdvertiseAddress string
	// TLSSANs are further names and addresses for the serving certificate.
	TLSSANs []string

	// Flags are those that the program was started with, for the API to show; may be nil.
	Flags func() map[string]string `json:"-"`
	// UI serves the view of the cluster at /ui.
	UI bool

	// ControlPlaneOnly leaves out kubelet, proxy and DNS. It needs no root.
	ControlPlaneOnly bool
	NodeName, NodeIP string
	// CgroupRoot is the cgroup beneath which that of all Pods is made; "/" unless set.
	CgroupRoot string
	// RuntimeEndpoint is the unix socket of a CRI runtime to use instead of the embedded containerd.
	RuntimeEndpoint string
	// EvictionHard is when Pods must go because the node is short of something, as eviction.ParseThresholds reads it.
	EvictionHard string
	// MemoryReservation and MemoryThrottling are how the kernel is to look after Pods' memory, as resources.ParseMemoryQoS reads them.
	MemoryReservation string
	MemoryThrottling  float64
	// EvictionTransition is how long this node counts as short of something when it is no more; eviction.Transition unless set.
	EvictionTransition time.Duration
	// UnsafeSysctls are what Pods of this node may set besides safe ones, as admission.ParseSysctls reads them.
	UnsafeSysctls []string
	// ResolvConf is the resolver configuration that this node's Pods inherit; the machine's own unless set.
	ResolvConf string
	// KubeletPort is where the kubelet serves; 10250 unless set.
	KubeletPort int
	// LocalStorageDir holds this node's local volumes; storage in DataDir unless set.
	LocalStorageDir string

	// ClusterCIDR and ServiceCIDR are the addresses of Pods and Services.
	ClusterCIDR, ServiceCIDR string
	// NodesBringCIDRs is that nobody gives Nodes a part of ClusterCIDR: who makes them does. NodeCIDRMaskSize is the length of the
	// prefix of a Node's part; 24 unless set.
	NodesBringCIDRs  bool
	NodeCIDRMaskSize int
	// PodNetwork is how Pods of different nodes reach one another: bootstrap.Auto unless set, or bootstrap.VXLAN.
	PodNetwork string
	// PodNetworkPort is the UDP port of the tunnels between nodes; bootstrap.DefaultTunnelPort unless set.
	PodNetworkPort int
	// ClusterDomain is the suffix of DNS names.
	ClusterDomain string

	// Disable names parts that are left out: those of Parts.
	Disable []string

	// NodeMonitorGrace is how long a node may be silent before it counts as lost; 50 seconds unless set.
	NodeMonitorGrace time.Duration
	// SigningDuration is the longest that a certificate is valid which the cluster signs on request, a node's among them; a
	// year unless set.
	SigningDuration time.Duration

	// EtcdServers are the URLs of an external etcd. None: etcd runs embedded.
	EtcdServers []string
	// EtcdCAFile, EtcdCertFile and EtcdKeyFile secure the connection to an external etcd.
	EtcdCAFile, EtcdCertFile, EtcdKeyFile string

	// EtcdQuota is the size of the embedded etcd's database at which writes are refused, as a quantity; 8Gi unless set.
	EtcdQuota string
	// EtcdSnapshotInterval is how often a snapshot of the embedded etcd is made in EtcdSnapshotDir, DataDir/snapshots unless set; never
	// unless set. The last EtcdSnapshotKeep are kept, 5 unless set.
	EtcdSnapshotInterval time.Duration
	EtcdSnapshotKeep     int
	EtcdSnapshotDir      string

	// AdmissionConfigFile tells admission plugins what to do; each has its defaults unless set.
	AdmissionConfigFile string

	// The keys that several servers on one etcd share. Made in the data directory unless set.
	CACertFile, CAKeyFile string
	ServiceAccountKeyFile string
	EncryptionKeyFile     string
	EncryptionConfigFile  string
	FrontProxyCACertFile  string
	FrontProxyCAKeyFile   string
}

// Complete fills in what is not set and checks the whole. The error is one line that names the flag.
func (o *Options) Complete() error {
	o.setDefaults()
	var err error
	if o.DataDir, err = filepath.Abs(o.DataDir); err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	if o.HTTPSPort < -1 || o.HTTPSPort > 65535 {
		return fmt.Errorf("--https-port: %d is not a port (1-65535)", o.HTTPSPort)
	}
	if _, err := netip.ParseAddr(o.BindAddress); err != nil {
		return fmt.Errorf("--bind-address: %q is not an IP address", o.BindAddress)
	}
	if err := o.completeAddresses(); err != nil {
		return err
	}
	if err := o.checkCIDRs(); err != nil {
		return err
	}
	if err := o.checkDurations(); err != nil {
		return err
	}
	if o.PodNetwork != bootstrap.Auto && o.PodNetwork != bootstrap.VXLAN {
		return fmt.Errorf("--pod-network: %q is neither %s nor %s", o.PodNetwork, bootstrap.Auto, bootstrap.VXLAN)
	}
	if o.PodNetworkPort < 1 || o.PodNetworkPort > 65535 {
		return fmt.Errorf("--pod-network-port: %d is not a port (1-65535)", o.PodNetworkPort)
	}
	if o.KubeletPort < 1 || o.KubeletPort > 65535 {
		return fmt.Errorf("--kubelet-port: %d is not a port (1-65535)", o.KubeletPort)
	}
	if err := node.CheckStorageDir(o.LocalStorageDir); err != nil {
		return err
	}
	if !filepath.IsAbs(o.CgroupRoot) {
		return fmt.Errorf("--cgroup-root: %q does not begin with /", o.CgroupRoot)
	}
	for _, name := range o.TLSSANs {
		if net.ParseIP(name) == nil && len(validation.IsDNS1123Subdomain(strings.TrimPrefix(name, "*."))) > 0 {
			return fmt.Errorf("--tls-san: %q is neither an address nor a name", name)
		}
	}
	return o.checkNames()
}

func (o *Options) setDefaults() {
	fill := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	fill(&o.DataDir, DefaultDataDir)
	fill(&o.BindAddress, "0.0.0.0")
	fill(&o.CgroupRoot, "/")
	fill(&o.ClusterCIDR, "10.244.0.0/16")
	fill(&o.ServiceCIDR, "10.96.0.0/16")
	fill(&o.PodNetwork, bootstrap.Auto)
	fill(&o.ClusterDomain, "cluster.local")
	fill(&o.EtcdQuota, "8Gi")
	if o.HTTPSPort == 0 {
		o.HTTPSPort = 6443
	}
	if o.NodeCIDRMaskSize == 0 {
		o.NodeCIDRMaskSize = 24
	}
	if o.KubeletPort == 0 {
		o.KubeletPort = 10250
	}
	if o.PodNetworkPort == 0 {
		o.PodNetworkPort = bootstrap.DefaultTunnelPort
	}
	if o.NodeName == "" {
		name, _ := os.Hostname()
		fill(&o.NodeName, strings.ToLower(name))
	}
}

// anywhere is an address out there, for documentation: the way to it is the default route.
const anywhere = "192.0.2.1"

// completeAddresses finds this machine's address if it is not told.
func (o *Options) completeAddresses() error {
	for flag, value := range map[string]string{"--advertise-address": o.AdvertiseAddress, "--node-ip": o.NodeIP} {
		addr, err := netip.ParseAddr(value)
		if value != "" && (err != nil || addr.IsUnspecified()) {
			return fmt.Errorf("%s: %q is not an address of this machine", flag, value)
		}
		if err == nil && !addr.Unmap().Is4() {
			return fmt.Errorf("%s: %s: an IPv4 address is needed", flag, addr)
		}
	}
	if o.AdvertiseAddress == "" {
		o.AdvertiseAddress = o.NodeIP
	}
	if bind := netip.MustParseAddr(o.BindAddress); o.AdvertiseAddress == "" && !bind.IsUnspecified() && !bind.IsLoopback() {
		o.AdvertiseAddress = o.BindAddress
	}
	if o.AdvertiseAddress == "" {
		addr, err := node.AddressToward(anywhere)
		switch {
		case err == nil:
			o.AdvertiseAddress = addr
		case o.ControlPlaneOnly:
			o.AdvertiseAddress = "127.0.0.1"
		default:
			return fmt.Errorf("--node-ip: this machine's address cannot be told (%w); give it", err)
		}
	}
	if o.NodeIP == "" {
		o.NodeIP = o.AdvertiseAddress
	}
	return nil
}

func (o *Options) checkCIDRs() error {
	pods, err := netip.ParsePrefix(o.ClusterCIDR)
	if err != nil || pods != pods.Masked() {
		return fmt.Errorf("--cluster-cidr: %q is not a network like 10.244.0.0/16", o.ClusterCIDR)
	}
	services, err := netip.ParsePrefix(o.ServiceCIDR)
	if err != nil || services != services.Masked() {
		return fmt.Errorf("--service-cidr: %q is not a network like 10.96.0.0/16", o.ServiceCIDR)
	}
	if services.Addr().BitLen()-services.Bits() < 4 {
		return fmt.Errorf("--service-cidr: %s is too small, cluster DNS needs its tenth address", services)
	}
	if !pods.Addr().Is4() || !services.Addr().Is4() {
		return fmt.Errorf("--cluster-cidr, --service-cidr: IPv4 networks are needed")
	}
	if o.NodeCIDRMaskSize < 1 || o.NodeCIDRMaskSize > 30 {
		return fmt.Errorf("--node-cidr-mask-size: /%d is no network for a node's Pods (up to /30)", o.NodeCIDRMaskSize)
	}
	if pods.Bits() > o.NodeCIDRMaskSize && !o.NodesBringCIDRs {
		return fmt.Errorf("--cluster-cidr: %s is too small, each node takes a /%d (--node-cidr-mask-size)", pods, o.NodeCIDRMaskSize)
	}
	if pods.Overlaps(services) {
		return fmt.Errorf("--cluster-cidr and --service-cidr overlap: %s, %s", pods, services)
	}
	if o.ControlPlaneOnly { // nothing here uses these networks; a node that joins looks for itself
		return nil
	}
	for _, n := range []netip.Prefix{pods, services} {
		if n.Contains(netip.MustParseAddr(o.NodeIP).Unmap()) {
			return fmt.Errorf("--node-ip: %s lies within %s, which the cluster uses itself", o.NodeIP, n)
		}
	}
	return nil
}

// nodeCIDRs is what the parts of Nodes are cut from; the zero value if nobody cuts.
func (o *Options) nodeCIDRs() netip.Prefix {
	if o.NodesBringCIDRs {
		return netip.Prefix{}
	}
	return netip.MustParsePrefix(o.ClusterCIDR)
}

// nodeReports is how often a node reports that it is there.
const nodeReports = 10 * time.Second

func (o *Options) checkDurations() error {
	if o.NodeMonitorGrace != 0 && o.NodeMonitorGrace <= nodeReports {
		return fmt.Errorf("--node-monitor-grace-period: %s is too short, nodes report every %s", o.NodeMonitorGrace, nodeReports)
	}
	if o.SigningDuration < 0 {
		return fmt.Errorf("--cluster-signing-duration: %s lies in the past", o.SigningDuration)
	}
	return nil
}

// Parts are what can be left out by name.
func Parts() []string { return []string{volume.LocalStorage, server.MetricsServer} }

// On are the parts that are not left out.
func (o *Options) On() []string {
	return slices.DeleteFunc(Parts(), func(name string) bool { return slices.Contains(o.Disable, name) })
}

func (o *Options) checkNames() error {
	for _, name := range o.Disable {
		if !slices.Contains(Parts(), name) {
			return fmt.Errorf("--disable: there is no part %q (%s)", name, strings.Join(Parts(), ", "))
		}
	}
	if !o.ControlPlaneOnly { // which the host's name is no matter for
		if err := node.CheckName(o.NodeName); err != nil {
			return err
		}
	}
	if (o.CACertFile == "") != (o.CAKeyFile == "") {
		return fmt.Errorf("--ca-cert-file and --ca-key-file go together")
	}
	if (o.FrontProxyCACertFile == "") != (o.FrontProxyCAKeyFile == "") {
		return fmt.Errorf("--requestheader-ca-cert-file and --requestheader-ca-key-file go together")
	}
	if errs := validation.IsDNS1123Subdomain(o.ClusterDomain); len(errs) > 0 {
		return fmt.Errorf("--cluster-domain: %q: %s", o.ClusterDomain, errs[0])
	}
	if o.EvictionHard != "" {
		if _, err := eviction.ParseThresholds(o.EvictionHard); err != nil {
			return fmt.Errorf("--eviction-hard: %w", err)
		}
	}
	if o.EvictionTransition < 0 {
		return fmt.Errorf("--eviction-pressure-transition-period: %s is less than nothing", o.EvictionTransition)
	}
	if _, err := resources.ParseMemoryQoS(o.MemoryReservation, o.MemoryThrottling); err != nil {
		return fmt.Errorf("--memory-reservation-policy, --memory-throttling-factor: %w", err)
	}
	if _, err := admission.ParseSysctls(o.UnsafeSysctls); err != nil {
		return fmt.Errorf("--allowed-unsafe-sysctls: %w", err)
	}
	for _, u := range o.EtcdServers {
		if !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
			return fmt.Errorf("--etcd-servers: %q is not a URL like https://10.0.0.1:2379", u)
		}
	}
	if len(o.EtcdServers) == 0 && o.EtcdCAFile+o.EtcdCertFile+o.EtcdKeyFile != "" {
		return fmt.Errorf("--etcd-cafile, --etcd-certfile, --etcd-keyfile: only with --etcd-servers")
	}
	if err := o.checkEtcd(); err != nil {
		return err
	}
	if (o.EtcdCertFile == "") != (o.EtcdKeyFile == "") {
		return fmt.Errorf("--etcd-certfile and --etcd-keyfile go together")
	}
	if o.EncryptionKeyFile != "" && o.EncryptionConfigFile != "" {
		return fmt.Errorf("--encryption-key-file and --encryption-provider-config exclude each other")
	}
	return nil
}

// checkEncryptionKey refuses to make another key while the embedded etcd holds Secrets that need the old one: they would be lost
// to whoever puts the old one back later.
func (o *Options) checkEncryptionKey() error {
	if o.EncryptionKeyFile != "" || o.EncryptionConfigFile != "" || len(o.EtcdServers) > 0 {
		return nil
	}
	key, state := filepath.Join(o.keyDir(), "encryption.key"), filepath.Join(o.etcdDir(), "member", "snap", "db")
	_, noKey := os.Stat(key)
	_, noState := os.Stat(state)
	if errors.Is(noKey, fs.ErrNotExist) && noState == nil {
		return fmt.Errorf("%s is missing, with which the Secrets in %s are encrypted: put it back, or give what replaced it (--encryption-key-file, --encryption-provider-config)", key, o.etcdDir())
	}
	return nil
}

func (o *Options) etcdDir() string { return filepath.Join(o.DataDir, "etcd") }

func (o *Options) keyDir() string { return filepath.Join(o.DataDir, "pki") }

// Admin is the path of the administrator's kubeconfig.
func (o *Options) Admin() string { return filepath.Join(o.DataDir, AdminKubeconfig) }

// DNSAddress is the address of cluster DNS: the tenth of the Service network.
func (o *Options) DNSAddress() netip.Addr {
	a := netip.MustParsePrefix(o.ServiceCIDR).Addr()
	for range 10 {
		a = a.Next()
	}
	return a
}
