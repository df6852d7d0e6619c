package pods

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// Images makes sure that images are on the node.
type Images interface {
	// Ensure brings an image to the node as the policy says and returns how the runtime refers to it. Its errors
	// carry the reason that a waiting container shows (Reasoned).
	Ensure(ctx context.Context, request ImageRequest) (ref string, err error)
	// Used says that an image was in use until now.
	Used(id string)
	// Forget drops what is remembered of a Pod.
	Forget(pod types.UID)
}

// ImageRequest asks for an image on behalf of a container or a volume.
type ImageRequest struct {
	Pod     *corev1.Pod
	Image   string
	Policy  corev1.PullPolicy
	Sandbox *runtimeapi.PodSandboxConfig
	// About is what Events about the image refer to.
	About *corev1.ObjectReference
}

// Volumes makes a Pod's volumes.
type Volumes interface {
	// Mount makes all volumes of the Pod and keeps them up to date until Unmount. Idempotent.
	Mount(ctx context.Context, pod *corev1.Pod) error
	// Mounts returns a container's mounts. subPath resolves what a mount shows of its volume.
	Mounts(ctx context.Context, pod *corev1.Pod, c *corev1.Container, subPath func(*corev1.VolumeMount) (string, error)) ([]*runtimeapi.Mount, error)
	// Devices returns the devices that a container has by its volumes.
	Devices(pod *corev1.Pod, c *corev1.Container) ([]*runtimeapi.Device, error)
	// SupplementalGroups are the groups that the Pod's volumes add to its containers.
	SupplementalGroups(pod *corev1.Pod) []int64
	// EnvFile returns a key of a file of variables in an emptyDir volume.
	EnvFile(pod *corev1.Pod, volume, path, key string) (value string, ok bool, err error)
	// Unmount takes all volumes of the Pod away, and its directory. Idempotent.
	Unmount(ctx context.Context, uid types.UID) error
}

// Resources turns what Pods ask for into control groups.
type Resources interface {
	// Create makes the Pod's control group, or brings it up to date, and returns the path that the runtime takes as
	// parent of the containers' own.
	Create(pod *corev1.Pod) (parent string, err error)
	// Remove takes a Pod's control group away. Idempotent.
	Remove(uid types.UID) error
	// List returns the Pods that have a control group.
	List() []types.UID
	// Container returns a container's limits.
	Container(pod *corev1.Pod, c *corev1.Container) *runtimeapi.LinuxContainerResources
	// Pod returns the limits of the Pod altogether, nil where there are none.
	Pod(pod *corev1.Pod) *runtimeapi.LinuxContainerResources
}

// Probes asks containers how they are.
type Probes interface {
	// Watch probes the running containers of a Pod, those of the runtime's newest instances. Idempotent.
	Watch(pod *corev1.Pod, observed *runtime.Pod)
	// Forget ends all probes of a Pod.
	Forget(uid types.UID)
	// Findings returns what is known of a container instance, nil where nothing is.
	Findings(containerID string) (startup, readiness, liveness *bool)
}

// Objects are the ConfigMaps and Secrets that Pods refer to.
type Objects interface {
	ConfigMap(namespace, name string) (*corev1.ConfigMap, error)
	Secret(namespace, name string) (*corev1.Secret, error)
}

// Changes hears what becomes of Pods, which are shared and read only. It returns at once.
type Changes interface {
	Pod(pod *corev1.Pod, status corev1.PodStatus)
	Gone(pod *corev1.Pod)
}

// Config is what the workers need.
type Config struct {
	NodeName  string
	HostIPs   []string
	Client    kubernetes.Interface
	Recorder  record.EventRecorder
	Runtime   cri.RuntimeService
	Images    Images
	ImageUser func(ctx context.Context, ref string) (uid *int64, username string, err error)
	Volumes   Volumes
	Resources Resources
	Probes    Probes
	Objects   Objects
	Status    *status.Writer
	// Services lists all Services known; ServicesSynced tells whether that is all there are.
	Services       func() []*corev1.Service
	ServicesSynced func() bool
	// Node returns the Node as registered, for admission and for fields that Pods may see.
	Node func() *corev1.Node
	// Admission says which Pods can run here.
	Admission *admission.Node
	// RuntimeHandler returns the runtime's handler of a Pod's RuntimeClass.
	RuntimeHandler func(pod *corev1.Pod) (string, error)
	// RuntimeName is the scheme of container IDs.
	RuntimeName       string
	RecursiveReadOnly bool
	ClusterDNS        []string
	ClusterDomain     string
	ResolvConf        string
	// ResolvConfBehind is the configuration of a resolver on the node, for Pods where ResolvConf names nothing but that.
	ResolvConfBehind string
	// PodLogsDir holds the logs of all Pods, ContainerLogsDir links to each of them.
	PodLogsDir, ContainerLogsDir string
	// PodsDir holds a directory for each Pod's own files, by UID.
	PodsDir string
	// SeccompDir holds seccomp profiles that Pods name.
	SeccompDir string
	// Changes are told of each status that a Pod is given, and of each Pod that is no more; may be nil.
	Changes Changes
	// Metrics count what the workers do; may be nil.
	Metrics *metrics.Metrics
	// SandboxSeccomp is the seccomp profile of sandboxes of the default runtime, a file; the runtime's own default where empty.
	SandboxSeccomp string
}
