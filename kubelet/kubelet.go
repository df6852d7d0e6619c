// Package kubelet runs the Pods that are bound to this node. It assembles the subsystems below it and holds no logic of
// its own.
package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/pkg/apparmor"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	cri "k8s.io/cri-api/pkg/apis"

	"github.com/coracle-k8s/coracle/apis/version"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/downward"
	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/logs"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
	"github.com/coracle-k8s/coracle/kubelet/node"
	"github.com/coracle-k8s/coracle/kubelet/objects"
	"github.com/coracle-k8s/coracle/kubelet/pods"
	"github.com/coracle-k8s/coracle/kubelet/podsapi"
	"github.com/coracle-k8s/coracle/kubelet/probes"
	"github.com/coracle-k8s/coracle/kubelet/resources"
	"github.com/coracle-k8s/coracle/kubelet/server"
	"github.com/coracle-k8s/coracle/kubelet/status"
	"github.com/coracle-k8s/coracle/kubelet/volumes"
)

// Version is the kubelet's version that the Node reports: that of the Kubernetes whose behaviour this is.
const Version = "v" + version.Kubernetes

// Config is what a kubelet works with. Informers are started by their owner and hold shared objects.
type Config struct {
	NodeName string
	// NodeIPs are the node's addresses, the preferred one first, at most one of each family.
	NodeIPs []netip.Addr
	// Client acts as system:node:NodeName.
	Client kubernetes.Interface
	// Pods holds at least the Pods bound to this node, Nodes at least this Node, Services all Services.
	Pods, Nodes, Services cache.SharedIndexInformer
	// RuntimeClass returns a RuntimeClass by name.
	RuntimeClass func(name string) (*nodev1.RuntimeClass, error)
	Objects      objects.Source
	// Recorder records Events about Pods and the node; nil makes one of the client.
	Recorder record.EventRecorder

	// RuntimeEndpoint is the container runtime's unix socket, with or without unix://. ImageEndpoint is the same unless set.
	RuntimeEndpoint, ImageEndpoint string
	// Streams run commands and reach Pods' ports in place of the runtime's own streaming server; may be nil.
	Streams server.Streams
	// SandboxSeccomp is the seccomp profile for what the default runtime runs in a Pod's sandbox, a file; the runtime's own default
	// unless set.
	SandboxSeccomp string
	// JoinNetwork connects the node to the Pod network by the prefixes that the Node was given. nil where a foreign
	// network plugin does that.
	JoinNetwork func([]netip.Prefix) error

	// RootDir holds Pods' directories; /var/lib/kubelet unless set. PodLogsDir is /var/log/pods and ContainerLogsDir
	// /var/log/containers unless set.
	RootDir, PodLogsDir, ContainerLogsDir string
	// PullRecordsDir keeps whose credentials images were pulled with: one for each container runtime. RootDir/image_manager unless set.
	PullRecordsDir string
	// CgroupRoot is the control group that all Pods are below; / unless set.
	CgroupRoot    string
	ClusterDNS    []netip.Addr
	ClusterDomain string
	// ResolvConf is the resolver configuration that Pods inherit. Unless set, it is /etc/resolv.conf, or that of systemd-resolved where
	// the former names nothing but a resolver on the node itself.
	ResolvConf       string
	resolvConfBehind string

	// Port and Address are where the kubelet serves. 10250 and all addresses unless set.
	Port    int32
	Address string
	// Certificate serves HTTPS; ClientCA verifies who asks. ServerUser is the API server's own identity, which may do all
	// without asking the API.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	ClientCA    *x509.CertPool
	ServerUser  string
	// ClientExpires is when the certificate ends that the kubelet proves itself with to the API server; nil where it needs none.
	ClientExpires func() time.Time
	// ProcessMetrics are those of the process that nobody else would tell of, on a machine without an API server; may be nil.
	ProcessMetrics prometheus.Gatherer

	// LocalVolumes makes and deletes volumes of class local; nil if this node has none.
	LocalVolumes http.Handler

	// Sweep looks for what the runtime does not list; nothing that began before its time is under way when it is called. May be nil.
	Sweep Sweep

	Labels map[string]string
	// Annotations are the Node's, beside those that all have.
	Annotations map[string]string
	Taints      []corev1.Taint
	MaxPods     int
	// EvictionHard are the thresholds below which Pods must go, as eviction.ParseThresholds reads them; eviction.Default unless set.
	EvictionHard string
	// EvictionTransition is how long the node's conditions say that it is short of something when it is no more; eviction.Transition unless set.
	EvictionTransition time.Duration
	// UnsafeSysctls are those that Pods may set besides the safe ones, as admission.ParseSysctls reads them.
	UnsafeSysctls []string
	// MemoryQoS is how the kernel is to look after Pods' memory.
	MemoryQoS resources.MemoryQoS
	// CPUs and MemoryBytes limit what the node offers; 0 is all that the machine has.
	CPUs, MemoryBytes int64
}

func (c Config) withDefaults() Config {
	set := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	set(&c.ImageEndpoint, c.RuntimeEndpoint)
	set(&c.RootDir, "/var/lib/kubelet")
	set(&c.PullRecordsDir, filepath.Join(c.RootDir, "image_manager"))
	set(&c.PodLogsDir, "/var/log/pods")
	set(&c.ContainerLogsDir, "/var/log/containers")
	set(&c.CgroupRoot, "/")
	set(&c.ClusterDomain, "cluster.local")
	if c.ResolvConf == "" {
		c.ResolvConf, c.resolvConfBehind = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"
	}
	set(&c.EvictionHard, eviction.Default)
	if c.Port == 0 {
		c.Port = 10250
	}
	if c.MaxPods == 0 {
		c.MaxPods = 110
	}
	return c
}

// Kubelet runs the Pods of one node.
type Kubelet struct {
	Config
	thresholds []eviction.Threshold
	sysctls    *admission.Sysctls
	ready      chan struct{}
}

// New checks the configuration. It starts nothing.
func New(c Config) (*Kubelet, error) {
	c = c.withDefaults()
	switch {
	case c.NodeName == "":
		return nil, errors.New("kubelet: no node name")
	case len(c.NodeIPs) == 0:
		return nil, errors.New("kubelet: no node address")
	case c.RuntimeEndpoint == "":
		return nil, errors.New("kubelet: no container runtime endpoint")
	case c.Client == nil || c.Pods == nil || c.Nodes == nil || c.Services == nil || c.Objects == nil:
		return nil, errors.New("kubelet: a client, informers and objects are needed")
	}
	thresholds, err := eviction.ParseThresholds(c.EvictionHard)
	if err != nil {
		return nil, fmt.Errorf("kubelet: reading eviction thresholds: %w", err)
	}
	sysctls, err := admission.ParseSysctls(c.UnsafeSysctls)
	if err != nil {
		return nil, fmt.Errorf("kubelet: reading which sysctls are allowed: %w", err)
	}
	return &Kubelet{Config: c, thresholds: thresholds, sysctls: sysctls, ready: make(chan struct{})}, nil
}

// Ready is closed when the API holds a Node that is ready: from then on Pods bound to it run.
func (k *Kubelet) Ready() <-chan struct{} { return k.ready }

// parts are the subsystems of a kubelet that runs.
type parts struct {
	metrics *metrics.Metrics
	runtime cri.RuntimeService
	images  cri.ImageManagerService
	// imagesDir is on the images' file system, where that is known. The evictor's alone.
	imagesDir string
	rights    *images.Rights
	collector *images.Collector
	recorder  record.EventRecorder
	status    *status.Writer
	probes    *probes.Probes
	volumes   *volumes.Volumes
	pods      *pods.Manager
	node      *node.Node
	evictor   *eviction.Evictor
	sweeper   *sweeper // nil where nobody can sweep
	groups    *resources.Cgroups
	changes   *podsapi.Changes
}

// Run works until ctx ends and returns when all that it started has stopped. Containers keep running.
func (k *Kubelet) Run(ctx context.Context) error {
	for _, dir := range []string{k.podsDir(), k.PodLogsDir, k.ContainerLogsDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the kubelet's directories: %w", err)
		}
	}
	if err := os.Chmod(k.podsDir(), 0o750); err != nil {
		return fmt.Errorf("making the kubelet's directories: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, closeRuntime, err := k.assemble(ctx)
	if err != nil {
		return err
	}
	defer closeRuntime()

	return guard.Together(ctx,
		guard.Task{Work: "kubelet's server", Run: func(ctx context.Context) error { return k.serve(ctx, p) }},
		guard.Task{Work: "kubelet", Run: func(ctx context.Context) error { return k.runPods(ctx, p) }},
	)
}

// runPods runs the subsystems until ctx ends, each again after a panic. Pods are run as soon as all that the API has are known.
func (k *Kubelet) runPods(ctx context.Context, p *parts) error {
	ctx, cancel := context.WithCancel(ctx)
	var group guard.Group
	defer group.Wait()
	defer cancel()
	group.Keep(ctx, "pod statuses", p.status.Run)
	group.Keep(ctx, "probes", p.probes.Run)
	group.Keep(ctx, "node status", p.node.Run)
	group.Keep(ctx, "node readiness", func(ctx context.Context) {
		select {
		case <-p.node.Ready():
			close(k.ready)
		case <-ctx.Done():
		}
	})
	remove, err := k.listen(ctx, p)
	defer remove()
	if err != nil {
		return err
	}
	if err := p.groups.Recall(p.pods.Active()); err != nil {
		return fmt.Errorf("weighing the pods that run: %w", err)
	}
	group.Keep(ctx, "volumes", p.volumes.Run)
	group.Keep(ctx, "rotation of logs", (&logs.Rotator{Running: p.pods.Logs, Reopen: p.runtime.ReopenContainerLog}).Run)
	group.Keep(ctx, "removal of images", p.collector.Run)
	group.Keep(ctx, "limit of all pods", func(ctx context.Context) { k.limitPods(ctx, p) })
	group.Keep(ctx, "eviction", p.evictor.Run)
	group.Keep(ctx, "sockets of pods", func(ctx context.Context) {
		podsapi.Run(ctx, podsapi.Config{RootDir: k.RootDir, Pods: p.pods, Settled: p.status.Knows, Changes: p.changes, Metrics: p.metrics})
	})
	if p.sweeper != nil {
		group.Keep(ctx, "sweep of the runtime", p.sweeper.run)
	}
	p.pods.Run(ctx)
	return nil
}

func (k *Kubelet) podsDir() string { return filepath.Join(k.RootDir, "pods") }

// assemble connects to the runtime and wires the subsystems.
func (k *Kubelet) assemble(ctx context.Context) (*parts, func(), error) {
	p := &parts{recorder: k.Recorder, metrics: metrics.New(k.NodeName)}
	p.changes = &podsapi.Changes{Dropped: p.metrics.PodWatchDropped}
	closeAll, err := k.connect(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	version, err := p.runtime.Version(ctx, "v1")
	if err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("asking the container runtime for its version: %w", err)
	}
	abilities, err := p.runtime.Status(ctx, false)
	if err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("asking the container runtime for its abilities: %w", err)
	}
	recursive := false
	for _, h := range abilities.RuntimeHandlers {
		recursive = recursive || h.Name == "" && h.GetFeatures().GetRecursiveReadOnlyMounts()
	}
	if p.recorder == nil {
		recorder, stop := k.newRecorder()
		p.recorder = recorder
		inner := closeAll
		closeAll = func() { stop(); inner() }
	}
	groups, err := k.newResources()
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	p.groups = groups
	if p.rights, err = images.LoadRights(ctx, k.PullRecordsDir, p.images); err != nil {
		closeAll()
		return nil, nil, err
	}
	k.wire(ctx, p, version.RuntimeName, version.RuntimeVersion, recursive)
	return p, closeAll, nil
}

func (k *Kubelet) wire(ctx context.Context, p *parts, runtimeName, runtimeVersion string, recursive bool) {
	p.collector = k.newCollector(p)
	p.node = node.New(node.Config{
		Name: k.NodeName, IPs: k.ips(), Client: k.Client, Current: k.currentNode, Runtime: p.runtime, Images: p.images,
		SeenImages:  seenImages(ctx, p),
		RuntimeName: runtimeName, RuntimeVersion: runtimeVersion, Port: k.Port, Labels: k.Labels, Annotations: k.Annotations, Taints: k.Taints,
		Offer: k.offer(), KubeletVersion: Version,
		Pressure: func() node.Pressure {
			of := p.evictor.Pressure
			return node.Pressure{Memory: of(corev1.NodeMemoryPressure), Disk: of(corev1.NodeDiskPressure), PIDs: of(corev1.NodePIDPressure)}
		},
	})
	p.status = status.NewWriter(k.Client)
	p.status.Metrics = p.metrics
	changed := func(uid types.UID) { p.pods.RuntimeChanged(uid) }
	p.probes = probes.New(probes.NewChecker(p.runtime), k.ips()[0], k.reportProbe(p), changed)
	puller := k.newImages(p)
	p.volumes = volumes.New(ctx, volumes.Config{
		PodsDir: k.podsDir(), Client: k.Client, Objects: k.Objects, RecursiveReadOnly: recursive,
		Node: func() downward.Node {
			facts := downward.Node{Name: k.NodeName, IPs: k.ips()}
			if n := p.node.Latest(); n != nil {
				facts.Allocatable = n.Status.Allocatable
			}
			return facts
		},
		NodeLabels: func() map[string]string {
			if n := p.node.Latest(); n != nil {
				return n.Labels
			}
			return nil
		},
		Image: volumeImages(puller, p.metrics),
		Event: func(pod *corev1.Pod, reason, message string) {
			p.recorder.Event(pods.Reference(pod, nil), corev1.EventTypeWarning, reason, message)
		},
	})
	p.pods = pods.New(pods.Config{
		NodeName: k.NodeName, HostIPs: k.ips(), Client: k.Client, Recorder: p.recorder, Runtime: p.runtime,
		Images: puller, ImageUser: imageUser(p.images), Volumes: p.volumes, Resources: timedGroups{p.groups, p.metrics}, Probes: p.probes,
		Objects: k.Objects, Status: p.status, Services: k.services, ServicesSynced: k.Services.HasSynced, Node: p.node.Latest,
		Admission:      &admission.Node{Sysctls: k.sysctls, Pressure: func(kind corev1.NodeConditionType) bool { return p.evictor.Pressure(kind) }, AppArmor: apparmor.HostSupports},
		RuntimeHandler: k.runtimeHandler, RuntimeName: runtimeName, RecursiveReadOnly: recursive,
		ClusterDNS: k.dns(), ClusterDomain: k.ClusterDomain, ResolvConf: k.ResolvConf, ResolvConfBehind: k.resolvConfBehind,
		Metrics: p.metrics, Changes: p.changes, PodLogsDir: k.PodLogsDir, ContainerLogsDir: k.ContainerLogsDir, PodsDir: k.podsDir(),
		SeccompDir: filepath.Join(k.RootDir, "seccomp"), SandboxSeccomp: k.SandboxSeccomp,
	})
	p.evictor = k.newEvictor(ctx, p)
	k.Objects.OnChange(func(uid types.UID) {
		p.volumes.Refresh(uid)
		p.pods.Retry(uid)
	})
}

func (k *Kubelet) ips() []string {
	ips := make([]string, 0, len(k.NodeIPs))
	for _, ip := range k.NodeIPs {
		ips = append(ips, ip.String())
	}
	return ips
}

func (k *Kubelet) dns() []string {
	ips := make([]string, 0, len(k.ClusterDNS))
	for _, ip := range k.ClusterDNS {
		ips = append(ips, ip.String())
	}
	return ips
}

func (k *Kubelet) currentNode() *corev1.Node {
	obj, ok, err := k.Nodes.GetStore().GetByKey(k.NodeName)
	if err != nil || !ok {
		return nil
	}
	return obj.(*corev1.Node)
}

func (k *Kubelet) services() []*corev1.Service {
	list, err := corelisters.NewServiceLister(k.Services.GetIndexer()).List(everything)
	if err != nil {
		return nil // a cache has no errors
	}
	return list
}

// connectTimeout bounds the wait for the container runtime's socket.
const connectTimeout = 30 * time.Second
