// Package volumes makes Pods' volumes on the node's disk and keeps them up to date with the objects that they show. What it does
// for one Pod never waits for another's: a registry that drips or a disk that does not answer holds up its own Pods only.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/guard"
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
	// NodeLabels are those of the Node, which say where a PersistentVolume may be used.
	NodeLabels func() map[string]string
	// Image brings the image of a volume to the node.
	Image func(ctx context.Context, pod *corev1.Pod, source *corev1.ImageVolumeSource) (*runtimeapi.ImageSpec, error)
	// Event records a warning about a Pod.
	Event func(pod *corev1.Pod, reason, message string)
	// RecursiveReadOnly tells whether the runtime can make a mount and all below it read-only.
	RecursiveReadOnly bool
}

// Volumes makes and removes the volumes of all Pods of the node.
type Volumes struct {
	Config
	tokens       *tokens
	certificates *certificates
	trust        *trust

	ctx       context.Context
	refreshes guard.Group

	mu   sync.Mutex // never held over I/O, as all locks here: the informers' handlers take them
	pods map[types.UID]*podVolumes
	over bool // nothing is refreshed any more
}

// New returns volumes of no Pod. ctx bounds renewals that happen by themselves.
func New(ctx context.Context, c Config) *Volumes {
	v := &Volumes{Config: c, tokens: newTokens(c.Client), certificates: newCertificates(c.Client, c.Event), ctx: ctx, pods: map[types.UID]*podVolumes{}}
	v.trust = &trust{ctx: ctx, client: c.Client, changed: v.trustChanged}
	return v
}

func (v *Volumes) lookup(pod types.UID) *podVolumes {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pods[pod]
}

func (v *Volumes) entry(pod *corev1.Pod, shown []string) *podVolumes {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.pods[pod.UID]
	if p == nil {
		p = newPodVolumes(pod, shown)
		v.pods[pod.UID] = p
	}
	return p
}

// Mount makes all volumes of the Pod and keeps them up to date until Unmount. Idempotent.
func (v *Volumes) Mount(ctx context.Context, pod *corev1.Pod) error {
	p := v.entry(pod, v.shown(pod))
	end, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if p.settled() {
		return nil
	}
	p.rest()
	var errs error
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		made, err := v.setUp(ctx, p.current(), volume)
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", volume.Name, err))
			continue
		}
		p.keep(volume.Name, made)
	}
	if errs == nil {
		v.keepFresh(p)
	}
	return errs
}

// setUp makes a volume, or brings it up to date.
func (v *Volumes) setUp(ctx context.Context, pod *corev1.Pod, volume *corev1.Volume) (volumeState, error) {
	switch {
	case volume.EmptyDir != nil:
		dir := v.Dir(pod.UID, volume)
		return volumeState{path: dir}, makeEmptyDir(dir, volume.EmptyDir, fsGroup(pod), v.memoryFor(pod, volume.EmptyDir))
	case volume.HostPath != nil:
		path := volume.HostPath.Path
		return volumeState{path: path}, patiently(ctx, func() error { return checkHostPath(volume.HostPath) })
	case volume.Image != nil:
		return volumeState{}, nil // the runtime mounts it
	case rendered(volume):
		return v.render(ctx, pod, volume)
	case volume.PersistentVolumeClaim != nil:
		source := volume.PersistentVolumeClaim
		return v.claimed(ctx, pod, volume.Name, claimed{name: source.ClaimName, readOnly: source.ReadOnly})
	case volume.Ephemeral != nil:
		return v.claimed(ctx, pod, volume.Name, claimed{name: pod.Name + "-" + volume.Name, owned: true})
	}
	return volumeState{}, errors.New("this node has no plugin for the volume's type")
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

// Unmount takes all volumes of the Pod away. Idempotent, also for Pods that were never mounted by this process.
func (v *Volumes) Unmount(ctx context.Context, uid types.UID) error {
	if p := v.lookup(uid); p != nil {
		p.finish()
		end, err := p.begin(ctx)
		if err != nil {
			return err
		}
		defer end()
		v.mu.Lock()
		delete(v.pods, uid)
		v.mu.Unlock()
	}
	v.tokens.forget(uid)
	v.certificates.forget(uid)
	if uid == "" {
		return nil
	}
	for _, dir := range []string{subPathsDir, "volumes", marksDir} {
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

// patiently calls f, which may never return where a file system does not answer, and waits for as long as ctx lasts.
func patiently(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	guard.GoThen("look at a host's directory", f, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
