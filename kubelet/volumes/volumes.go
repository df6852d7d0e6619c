// Package volumes makes Pods' volumes on the node's disk and keeps them up to date with the objects that they show.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	securejoin "github.com/cyphar/filepath-securejoin/pathrs-lite"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/downward"
	"github.com/coracle-k8s/coracle/kubelet/removal"
)

// Objects are the ConfigMaps and Secrets that volumes show.
type Objects interface {
	ConfigMap(namespace, name string) (*corev1.ConfigMap, error)
	Secret(namespace, name string) (*corev1.Secret, error)
}

// Config is what volumes are made of.
type Config struct {
	// PodsDir holds a directory for each Pod, by UID.
	PodsDir string
	Client  kubernetes.Interface
	Objects Objects
	Node    func() downward.Node
	// Image brings the image of a volume to the node.
	Image func(ctx context.Context, pod *corev1.Pod, source *corev1.ImageVolumeSource) (*runtimeapi.ImageSpec, error)
	// RecursiveReadOnly tells whether the runtime can make a mount and all below it read-only.
	RecursiveReadOnly bool
}

// Volumes makes and removes the volumes of all Pods of the node.
type Volumes struct {
	Config
	tokens *tokens

	mu   sync.Mutex
	ctx  context.Context
	pods map[types.UID]*podVolumes
}

// podVolumes are one Pod's. Its lock is held while they are made, changed or taken away.
type podVolumes struct {
	mu      sync.Mutex
	pod     *corev1.Pod
	mounted bool
	paths   map[string]string // of the node, by volume
	local   map[string]string // those of local PersistentVolumes; the lock of Volumes guards it
	renewal *time.Timer       // of the token that is due first
	gone    bool
}

// New returns volumes of no Pod. ctx bounds renewals that happen by themselves.
func New(ctx context.Context, c Config) *Volumes {
	return &Volumes{Config: c, tokens: newTokens(c.Client), ctx: ctx, pods: map[types.UID]*podVolumes{}}
}

func (v *Volumes) entry(pod *corev1.Pod) *podVolumes {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.pods[pod.UID]
	if p == nil {
		p = &podVolumes{pod: pod, paths: map[string]string{}, local: map[string]string{}}
		v.pods[pod.UID] = p
	}
	return p
}

// Mount makes all volumes of the Pod and keeps them up to date until Unmount. Idempotent.
func (v *Volumes) Mount(ctx context.Context, pod *corev1.Pod) error {
	p := v.entry(pod)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mounted || p.gone {
		return nil
	}
	p.pod = pod
	var errs error
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		path, err := v.setUp(ctx, p, volume)
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", volume.Name, err))
			continue
		}
		p.paths[volume.Name] = path
	}
	p.mounted = errs == nil
	return errs
}

// setUp makes a volume, or brings it up to date, and returns where it is on the node.
func (v *Volumes) setUp(ctx context.Context, p *podVolumes, volume *corev1.Volume) (string, error) {
	switch {
	case volume.EmptyDir != nil:
		dir := v.Dir(p.pod.UID, volume)
		return dir, makeEmptyDir(dir, volume.EmptyDir, fsGroup(p.pod))
	case volume.HostPath != nil:
		return volume.HostPath.Path, checkHostPath(volume.HostPath)
	case volume.Image != nil:
		return "", nil // the runtime mounts it
	case rendered(volume):
		return v.render(ctx, p, volume)
	case volume.PersistentVolumeClaim != nil:
		return v.claimed(ctx, p, volume.Name, volume.PersistentVolumeClaim.ClaimName)
	case volume.Ephemeral != nil:
		return v.claimed(ctx, p, volume.Name, p.pod.Name+"-"+volume.Name)
	}
	return "", errors.New("this node has no plugin for the volume's type")
}

// dir is where a plugin's volume is.
func (v *Volumes) dir(pod types.UID, plugin, name string) string {
	return filepath.Join(v.PodsDir, string(pod), "volumes", "kubernetes.io~"+plugin, name)
}

// fsGroup is the group that the Pod's volumes belong to, nil for none.
func fsGroup(pod *corev1.Pod) *int64 {
	if sc := pod.Spec.SecurityContext; sc != nil {
		return sc.FSGroup
	}
	return nil
}

// Refresh renders the Pod's volumes anew because something that they show changed. It does nothing for a Pod whose
// volumes are not mounted.
func (v *Volumes) Refresh(pod types.UID) {
	v.mu.Lock()
	p, ctx := v.pods[pod], v.ctx
	v.mu.Unlock()
	if p == nil || ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mounted || p.gone {
		return
	}
	for i := range p.pod.Spec.Volumes {
		volume := &p.pod.Spec.Volumes[i]
		if !rendered(volume) {
			continue
		}
		if _, err := v.render(ctx, p, volume); err != nil {
			klog.FromContext(ctx).Info("Volume not brought up to date", "pod", klog.KObj(p.pod), "volume", volume.Name, "error", err)
		}
	}
}

// Update tells of a changed Pod; volumes that show its fields follow.
func (v *Volumes) Update(pod *corev1.Pod) {
	v.mu.Lock()
	p := v.pods[pod.UID]
	v.mu.Unlock()
	if p == nil {
		return
	}
	p.mu.Lock()
	p.pod = pod
	shows := slices.ContainsFunc(pod.Spec.Volumes, showsFields)
	p.mu.Unlock()
	if shows {
		v.Refresh(pod.UID)
	}
}

func showsFields(v corev1.Volume) bool {
	if v.Projected != nil {
		return slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool { return s.DownwardAPI != nil })
	}
	return v.DownwardAPI != nil
}

// Unmount takes all volumes of the Pod away. Idempotent, also for Pods that were never mounted by this process.
func (v *Volumes) Unmount(_ context.Context, uid types.UID) error {
	v.mu.Lock()
	p := v.pods[uid]
	delete(v.pods, uid)
	v.mu.Unlock()
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gone = true
		if p.renewal != nil {
			p.renewal.Stop()
		}
	}
	v.tokens.forget(uid)
	if uid == "" {
		return nil
	}
	for _, dir := range []string{subPathsDir, "volumes"} {
		path := filepath.Join(v.PodsDir, string(uid), dir)
		if err := removal.Unmount(path); err != nil {
			return err
		}
		if err := removal.Tree(path); err != nil {
			return err
		}
	}
	return nil
}

// SupplementalGroups are the groups that the Pod's volumes add to its containers. None of the kinds made here does.
func (v *Volumes) SupplementalGroups(*corev1.Pod) []int64 { return nil }

// EnvFile returns a key of a file of variables in an emptyDir volume.
func (v *Volumes) EnvFile(pod *corev1.Pod, volume, path, key string) (value string, ok bool, err error) {
	root := v.dir(pod.UID, "empty-dir", volume)
	handle, err := openBeneath(root, path)
	if err != nil {
		return "", false, fmt.Errorf("opening environment file %q: %w", path, err)
	}
	defer handle.Close()
	f, err := securejoin.Reopen(handle, os.O_RDONLY)
	if err != nil {
		return "", false, fmt.Errorf("opening environment file %q: %w", path, err)
	}
	defer f.Close()
	vars, err := parseEnvFile(f)
	if err != nil {
		return "", false, fmt.Errorf("reading environment file %q: %w", path, err)
	}
	value, ok = vars[key]
	return value, ok, nil
}

func mode(asked, byDefault *int32) os.FileMode {
	switch {
	case asked != nil:
		return os.FileMode(*asked)
	case byDefault != nil:
		return os.FileMode(*byDefault)
	}
	return 0o644
}
