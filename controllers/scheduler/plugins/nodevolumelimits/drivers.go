// Package nodevolumelimits keeps pods off nodes that lack the drivers of their volumes, where drivers ask for that. How many volumes a
// node may have is not counted: see docs/status.md on CSI.
package nodevolumelimits

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/component-helpers/storage/ephemeral"
	"k8s.io/component-helpers/storage/volume"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// Plugin compares the drivers of pods' claims with those that CSINodes say are on their nodes.
type Plugin struct {
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister
	drivers storagelisters.CSIDriverLister
	nodes   storagelisters.CSINodeLister
}

// New returns a plugin that knows claims, volumes and drivers.
func New(factory informers.SharedInformerFactory) *Plugin {
	core, storage := factory.Core().V1(), factory.Storage().V1()
	return &Plugin{
		claims: core.PersistentVolumeClaims().Lister(), volumes: core.PersistentVolumes().Lister(),
		classes: storage.StorageClasses().Lister(), drivers: storage.CSIDrivers().Lister(), nodes: storage.CSINodes().Lister(),
	}
}

// Name is the plugin's name upstream.
func (*Plugin) Name() string { return "NodeVolumeLimits" }

// Interests are drivers that come, to the cluster or to a node, and what says which of them a claim needs.
func (*Plugin) Interests() []framework.Interest {
	return []framework.Interest{{Actions: framework.NodeAdded | framework.CSINodeChanged | framework.CSIDriverChanged | framework.ClaimChanged |
		framework.VolumeChanged | framework.StorageClassChanged}}
}

// Prepare rejects nodes without a driver that the pod needs.
func (p *Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	needed := p.needed(pod.Pod)
	if len(needed) == 0 {
		return framework.Opinion{}, nil
	}
	return framework.Opinion{Filter: func(node *snapshot.Node) *framework.Status {
		known, err := p.nodes.Get(node.Node.Name)
		for _, driver := range needed {
			if err != nil || !slices.ContainsFunc(known.Spec.Drivers, func(d storagev1.CSINodeDriver) bool { return d.Name == driver }) {
				return framework.Reject(framework.Unschedulable, driver+" CSI driver is not installed on the node")
			}
		}
		return nil
	}}, nil
}

// needed are the drivers of a pod's claims that ask for pods to be kept off nodes without them. Claims that are missing are another
// plugin's business.
func (p *Plugin) needed(pod *corev1.Pod) (drivers []string) {
	for i := range pod.Spec.Volumes {
		source, name := &pod.Spec.Volumes[i], ""
		switch {
		case source.PersistentVolumeClaim != nil:
			name = source.PersistentVolumeClaim.ClaimName
		case source.Ephemeral != nil:
			name = ephemeral.VolumeClaimName(pod, source)
		default:
			continue
		}
		claim, err := p.claims.PersistentVolumeClaims(pod.Namespace).Get(name)
		if err != nil {
			continue
		}
		driver, err := p.drivers.Get(p.driverOf(claim))
		if prevent := err == nil && driver.Spec.PreventPodSchedulingIfMissing != nil && *driver.Spec.PreventPodSchedulingIfMissing; prevent {
			drivers = append(drivers, driver.Name)
		}
	}
	return drivers
}

// driverOf is the driver of a claim's volume or, before it has one, of its class; "" if there is none.
func (p *Plugin) driverOf(claim *corev1.PersistentVolumeClaim) string {
	if claim.Spec.VolumeName != "" {
		if bound, err := p.volumes.Get(claim.Spec.VolumeName); err == nil {
			if bound.Spec.CSI == nil {
				return ""
			}
			return bound.Spec.CSI.Driver
		}
	}
	class, err := p.classes.Get(volume.GetPersistentVolumeClaimClass(claim))
	if err != nil {
		return ""
	}
	return class.Provisioner
}
