// Package resources turns what Pods ask for into cgroups and limits of containers, and says what the machine has.
package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Config says where the Pods' cgroups are.
type Config struct {
	// Root is the cgroup beneath which kubepods is made, as a path from the hierarchies' roots; "/" unless set.
	Root string
	// QoS is how the kernel is to look after Pods' memory, and Allocatable what of that they may have together.
	QoS         MemoryQoS
	Allocatable int64
}

// Cgroups are the cgroups of this node's Pods: <root>/kubepods[/burstable|/besteffort]/pod<UID>, of either version. The
// kubelet writes the Pods' own; their containers' are the runtime's.
type Cgroups struct {
	root    string
	machine Machine

	// pageSizes are those whose use cgroups can limit here.
	pageSizes []uint64

	// weighing is held while the weight of burstable Pods is written, and taken before mu.
	weighing sync.Mutex
	// mu is held for a look only, never while the kernel does something.
	mu sync.Mutex
	// pods are the cgroups known to exist, burstable the CPU that burstable Pods request, in thousandths.
	pods      map[types.UID]string
	burstable map[types.UID]int64
	// protected is what Pods request of memory: those that are kept it, by class.
	protected map[types.UID]protected
}

// protected is what a Pod requests of memory.
type protected struct {
	class corev1.PodQOSClass
	bytes int64
}

// New returns the node's cgroups, with those found of an earlier process. It makes nothing yet.
func New(c Config) (*Cgroups, error) {
	memory, err := memoryTotal()
	if err != nil {
		return nil, err
	}
	g := &Cgroups{
		root:      filepath.Join("/", c.Root, "kubepods"),
		machine:   Machine{Memory: memory, Unified: cgroups.IsCgroup2UnifiedMode(), HugePageSizes: pageSizes()},
		burstable: map[types.UID]int64{}, protected: map[types.UID]protected{},
	}
	g.machine.QoS, g.machine.Allocatable = c.QoS, c.Allocatable
	if LimitsHugePages() {
		g.pageSizes = g.machine.HugePageSizes
	}
	g.pods, err = g.find()
	return g, err
}

// Ensure makes the cgroups above all Pods', before any Pod's.
func (g *Cgroups) Ensure() error {
	if err := delegate(filepath.Dir(g.root)); err != nil {
		return fmt.Errorf("preparing cgroup %s: %w", filepath.Dir(g.root), err)
	}
	if err := apply(g.root, &cgroups.Resources{SkipDevices: true}); err != nil {
		return err
	}
	for _, class := range []string{"burstable", "besteffort"} {
		lowest := &cgroups.Resources{SkipDevices: true}
		setShares(lowest, minShares)
		// What Pods that run already weigh together is not forgotten: Recall will say.
		if err := applyNew(filepath.Join(g.root, class), lowest); err != nil {
			return err
		}
	}
	g.machine.SwapAccounting = swapAccounting(g.root)
	return g.protect() // of Pods that run there is nothing yet: Recall will say
}

// Limit makes limits hold for all Pods together, after Ensure: what is left of the machine is the system's. It fails while Pods
// use more memory than that.
func (g *Cgroups) Limit(limits corev1.ResourceList) error {
	if err := apply(g.root, forAll(limits, taskMax(), g.pageSizes)); err != nil {
		return fmt.Errorf("limiting all Pods: %w", err)
	}
	return nil
}

// Create makes a Pod's cgroup with the Pod's limits, or brings the limits of an existing one up to date. It returns the path
// that the container runtime takes as parent of the containers' own. What is done to one Pod's follows one another.
func (g *Cgroups) Create(pod *corev1.Pod) (parent string, err error) {
	g.mu.Lock()
	path, known := g.pods[pod.UID]
	g.mu.Unlock()
	if !known {
		path = g.path(pod)
	}
	limits := forPod(pod, g.pageSizes)
	if g.machine.Unified {
		limits.Unified = g.machine.QoS.pod(pod)
	}
	if err := g.keep(pod); err != nil {
		return "", err
	}
	if err := apply(path, limits); err != nil {
		return "", fmt.Errorf("making the cgroup of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	g.mu.Lock()
	g.pods[pod.UID] = path
	g.mu.Unlock()
	if core.QOSClass(pod) != corev1.PodQOSBurstable {
		return path, nil
	}
	return path, g.weigh(pod.UID, cpuOf(pod))
}

// Remove ends what is left in a Pod's cgroup and removes it, which may take seconds. Idempotent.
func (g *Cgroups) Remove(uid types.UID) error {
	g.mu.Lock()
	path, known := g.pods[uid]
	g.mu.Unlock()
	if !known {
		return nil
	}
	if err := destroy(path); err != nil {
		return fmt.Errorf("removing cgroup %s: %w", path, err)
	}
	g.mu.Lock()
	delete(g.pods, uid)
	_, kept := g.protected[uid]
	delete(g.protected, uid)
	g.mu.Unlock()
	if kept {
		if err := g.protect(); err != nil {
			return err
		}
	}
	return g.weigh(uid, 0)
}

// Container returns a container's limits for the runtime.
func (g *Cgroups) Container(pod *corev1.Pod, c *corev1.Container) *runtimeapi.LinuxContainerResources {
	return ForContainer(pod, c, g.machine)
}

// Pod returns the limits of a Pod's containers together, for the runtime.
func (g *Cgroups) Pod(pod *corev1.Pod) *runtimeapi.LinuxContainerResources { return forSandbox(pod) }

// List returns the UIDs of all Pods that have a cgroup, those that nobody knows any more too.
func (g *Cgroups) List() []types.UID {
	g.mu.Lock()
	defer g.mu.Unlock()
	uids := make([]types.UID, 0, len(g.pods))
	for uid := range g.pods {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	return uids
}

// Path is where a Pod's cgroup is, "" where it has none.
func (g *Cgroups) Path(uid types.UID) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pods[uid]
}

// Above are the cgroups that those of all Pods are in.
func (g *Cgroups) Above() []string {
	return []string{g.root, filepath.Join(g.root, "burstable"), filepath.Join(g.root, "besteffort")}
}

// RemoveAll ends everything in all Pods' cgroups and removes them, kubepods with them. Idempotent.
func (g *Cgroups) RemoveAll() error {
	if err := destroy(g.root); err != nil {
		return fmt.Errorf("removing cgroup %s: %w", g.root, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.pods)
	clear(g.burstable)
	clear(g.protected)
	return nil
}

// path is where a new Pod's cgroup is to be.
func (g *Cgroups) path(pod *corev1.Pod) string {
	name := "pod" + string(pod.UID)
	switch core.QOSClass(pod) {
	case corev1.PodQOSBurstable:
		return filepath.Join(g.root, "burstable", name)
	case corev1.PodQOSBestEffort:
		return filepath.Join(g.root, "besteffort", name)
	}
	return filepath.Join(g.root, name)
}

// find looks for Pods' cgroups in every hierarchy.
func (g *Cgroups) find() (map[types.UID]string, error) {
	found := map[types.UID]string{}
	for _, h := range hierarchies() {
		for _, class := range []string{"", "burstable", "besteffort"} {
			within := filepath.Join(g.root, class)
			entries, err := os.ReadDir(filepath.Join(h, within))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("listing cgroups of Pods: %w", err)
			}
			for _, e := range entries {
				if uid, is := strings.CutPrefix(e.Name(), "pod"); is && e.IsDir() {
					found[types.UID(uid)] = filepath.Join(within, e.Name())
				}
			}
		}
	}
	return found, nil
}

// applyNew makes a cgroup with those limits where it is missing.
func applyNew(path string, r *cgroups.Resources) error {
	for _, h := range hierarchies() {
		if _, err := os.Stat(filepath.Join(h, path)); err == nil {
			return nil
		}
	}
	return apply(path, r)
}

// apply makes a cgroup where it is missing and sets its limits.
func apply(path string, r *cgroups.Resources) error {
	m, err := manager.New(&cgroups.Cgroup{Path: path, Resources: r})
	if err != nil {
		return err
	}
	if !m.Exists() {
		if err := m.Apply(-1); err != nil {
			return err
		}
	}
	return m.Set(r)
}
