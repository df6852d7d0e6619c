package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet"
	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/localvolumes"
	"github.com/coracle-k8s/coracle/kubelet/resources"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

// DefaultDataDir is where a machine keeps the state of its part of a cluster unless told otherwise.
const DefaultDataDir = "/var/lib/coracle"

// Options say what this machine is as a node, whoever its API server is.
type Options struct {
	// DataDir holds all state: certificates, images, containers.
	DataDir string
	// Name is the host's unless set. IP is where the other nodes reach this one.
	Name, IP string
	// CgroupRoot is the cgroup beneath which that of all Pods is made; "/" unless set.
	CgroupRoot string
	// RuntimeEndpoint is the unix socket of a CRI runtime to use instead of the embedded containerd.
	RuntimeEndpoint string
	// EvictionHard are the thresholds below which Pods must go, as eviction.ParseThresholds reads them; eviction.Default unless set.
	EvictionHard string
	// EvictionTransition is how long the node counts as short of something when it is no more; eviction.Transition unless set.
	EvictionTransition time.Duration
	// MemoryReservation is which of their memory Pods are kept, and MemoryThrottling from where on they are made to give it back, as
	// resources.ParseMemoryQoS reads them.
	MemoryReservation string
	MemoryThrottling  float64
	// UnsafeSysctls are what Pods may set besides safe ones, as admission.ParseSysctls reads them.
	UnsafeSysctls []string
	// ResolvConf is the resolver configuration that Pods inherit; the kubelet's default unless set.
	ResolvConf string
	// KubeletPort is where the kubelet serves; 10250 unless set.
	KubeletPort int
	// LocalStorageDir holds the node's local volumes; storage in DataDir unless set.
	LocalStorageDir string
}

// Complete fills in what is not set, but for the address, and checks the whole. The error is one line that names the flag.
func (o *Options) Complete() (err error) {
	if o.DataDir == "" {
		o.DataDir = DefaultDataDir
	}
	if o.DataDir, err = filepath.Abs(o.DataDir); err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	if o.CgroupRoot == "" {
		o.CgroupRoot = "/"
	}
	if !filepath.IsAbs(o.CgroupRoot) {
		return fmt.Errorf("--cgroup-root: %q does not begin with /", o.CgroupRoot)
	}
	if err := CheckStorageDir(o.LocalStorageDir); err != nil {
		return err
	}
	if o.KubeletPort == 0 {
		o.KubeletPort = 10250
	}
	if o.KubeletPort < 1 || o.KubeletPort > 65535 {
		return fmt.Errorf("--kubelet-port: %d is not a port (1-65535)", o.KubeletPort)
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
	if o.Name == "" {
		name, _ := os.Hostname() // an empty name is refused below
		o.Name = strings.ToLower(name)
	}
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(o.IP); o.IP != "" && (err != nil || addr.IsUnspecified() || !addr.Unmap().Is4()) {
		return fmt.Errorf("--node-ip: %q is not an IPv4 address of this machine", o.IP)
	}
	return nil
}

// CheckName says in a line that names the flag why a node cannot have that name. Each has it as a label, too.
func CheckName(name string) error {
	errs := validation.IsDNS1123Subdomain(name)
	if errs = append(errs, validation.IsValidLabelValue(name)...); len(errs) > 0 {
		return fmt.Errorf("--node-name: %q: %s", name, errs[0])
	}
	return nil
}

// CheckStorageDir says in a line that names the flag why volumes cannot be kept in a directory.
func CheckStorageDir(dir string) error {
	if dir != "" && (!filepath.IsAbs(dir) || filepath.Clean(dir) == "/") {
		return fmt.Errorf("--local-storage-dir: %q is not the path of a directory, like /srv/volumes", dir)
	}
	return nil
}

// StorageDir holds the node's local volumes.
func (o *Options) StorageDir() string {
	if o.LocalStorageDir != "" {
		return filepath.Clean(o.LocalStorageDir)
	}
	return filepath.Join(o.DataDir, StorageName)
}

// Pool is that directory.
func (o *Options) Pool() localvolumes.Pool {
	return localvolumes.Pool{Dir: o.StorageDir(), Known: filepath.Join(o.DataDir, PoolsFile)}
}

// StorageName is that directory's in the data directory.
const StorageName = "storage"

// PoolsFile of the data directory remembers the disks of local volumes.
const PoolsFile = "local-storage.json"

// User is whom a node's requests to the API server come from.
func (o *Options) User() string { return "system:node:" + o.Name }

// Group is what all nodes are members of.
const Group = "system:nodes"

func (o *Options) runtimeEndpoint() string {
	if o.RuntimeEndpoint != "" {
		return o.RuntimeEndpoint
	}
	return containerd.Endpoint(o.containerd())
}

// sandboxSeccomp is empty where the runtime is not ours: nothing is known of its sandboxes.
func (o *Options) sandboxSeccomp() string {
	if o.RuntimeEndpoint != "" {
		return ""
	}
	return containerd.SandboxSeccomp(o.containerd())
}

// sweep is nil where the runtime is not ours, likewise.
func (o *Options) sweep() kubelet.Sweep {
	if o.RuntimeEndpoint != "" {
		return nil
	}
	config := o.containerd()
	return func(ctx context.Context, before time.Time, known func(context.Context) (map[string]bool, error)) error {
		return containerd.Sweep(ctx, config, before, known)
	}
}

func (o *Options) containerd() containerd.Config {
	return containerd.Config{DataDir: o.DataDir, Log: klog.Background().WithName("containerd")}
}

// AddressToward is this machine's address that packets to an IP address are sent from. Where nothing leads there it is the
// first global IPv4 address.
func AddressToward(ip string) (string, error) {
	if c, err := net.Dial("udp", net.JoinHostPort(ip, "9")); err == nil { // sends nothing: asks for the route only
		defer c.Close()
		if host, _, err := net.SplitHostPort(c.LocalAddr().String()); err == nil {
			return host, nil
		}
	}
	links, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, l := range links {
		if l.Flags&net.FlagLoopback != 0 {
			continue // it has the address of cluster DNS, which is the same on all machines
		}
		addrs, err := l.Addrs()
		if err != nil {
			return "", err
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
				return n.IP.String(), nil
			}
		}
	}
	return "", fmt.Errorf("no interface with an IPv4 address besides loopback")
}
