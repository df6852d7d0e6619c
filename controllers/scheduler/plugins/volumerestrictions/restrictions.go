// Package volumerestrictions keeps pods apart that may not use a volume at
// the same time.
package volumerestrictions

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var (
	diskInUse  = framework.Reject(framework.Unschedulable, "node(s) had no available disk")
	claimInUse = framework.Reject(framework.Unschedulable, "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod")
)

// Plugin looks at claims that one pod at a time may use, anywhere, and at
// disks that one pod at a time may use on a node.
type Plugin struct {
	claims corelisters.PersistentVolumeClaimLister
}

// New returns a plugin that knows the claims' access modes.
func New(factory informers.SharedInformerFactory) *Plugin {
	return &Plugin{claims: factory.Core().V1().PersistentVolumeClaims().Lister()}
}

// Name is the plugin's name upstream.
func (*Plugin) Name() string { return "VolumeRestrictions" }

// Interests are nodes that come, pods that go and use the same volumes, and claims.
func (*Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.NodeAdded},
		{Actions: framework.ClaimChanged, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			claim, ok := event.New.(*corev1.PersistentVolumeClaim)
			return ok && claim.Namespace == pod.Namespace && claimNames(pod).Has(claim.Name)
		}},
		{Actions: framework.PodRemoved, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			gone, ok := event.Old.(*corev1.Pod)
			return ok && (conflict(pod, gone) || gone.Namespace == pod.Namespace && claimNames(gone).HasAny(claimNames(pod).UnsortedList()...))
		}},
	}
}

// Prepare rejects all nodes while another pod has a claim that is for one pod
// only, and nodes where another pod has a disk.
func (p *Plugin) Prepare(pod *snapshot.Pod, nodes *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	exclusive := sets.New[string]()
	for name := range claimNames(pod.Pod) {
		claim, err := p.claims.PersistentVolumeClaims(pod.Namespace).Get(name)
		if apierrors.IsNotFound(err) {
			return framework.Opinion{}, framework.Reject(framework.Unresolvable, err.Error())
		}
		if err != nil {
			return framework.Opinion{}, framework.Fail(err)
		}
		if slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) {
			exclusive.Insert(name)
		}
	}
	disks := slices.ContainsFunc(pod.Spec.Volumes, isDisk)
	if !disks && exclusive.Len() == 0 {
		return framework.Opinion{}, nil
	}
	users := 0
	count := func(other *snapshot.Pod, by int) {
		if other.Namespace == pod.Namespace {
			users += by * claimNames(other.Pod).Intersection(exclusive).Len()
		}
	}
	if exclusive.Len() > 0 {
		for _, node := range nodes.Nodes {
			for _, other := range node.Pods {
				count(other, 1)
			}
		}
	}
	return framework.Opinion{
		Filter: func(node *snapshot.Node) *framework.Status {
			if disks && slices.ContainsFunc(node.Pods, func(other *snapshot.Pod) bool { return conflict(pod.Pod, other.Pod) }) {
				return diskInUse
			}
			if users > 0 {
				return claimInUse
			}
			return nil
		},
		PodAdded:   func(other *snapshot.Pod, _ *snapshot.Node) { count(other, 1) },
		PodRemoved: func(other *snapshot.Pod, _ *snapshot.Node) { count(other, -1) },
	}, nil
}

func claimNames(pod *corev1.Pod) sets.Set[string] {
	names := sets.New[string]()
	for i := range pod.Spec.Volumes {
		if claim := pod.Spec.Volumes[i].PersistentVolumeClaim; claim != nil {
			names.Insert(claim.ClaimName)
		}
	}
	return names
}

func isDisk(v corev1.Volume) bool {
	return v.GCEPersistentDisk != nil || v.AWSElasticBlockStore != nil || v.RBD != nil || v.ISCSI != nil
}

// conflict says whether two pods want the same disk, and one of them to write.
func conflict(a, b *corev1.Pod) bool {
	for i := range a.Spec.Volumes {
		for j := range b.Spec.Volumes {
			if sameDisk(&a.Spec.Volumes[i], &b.Spec.Volumes[j]) {
				return true
			}
		}
	}
	return false
}

func sameDisk(a, b *corev1.Volume) bool {
	switch {
	case a.GCEPersistentDisk != nil && b.GCEPersistentDisk != nil:
		x, y := a.GCEPersistentDisk, b.GCEPersistentDisk
		return x.PDName == y.PDName && !(x.ReadOnly && y.ReadOnly)
	case a.AWSElasticBlockStore != nil && b.AWSElasticBlockStore != nil:
		return a.AWSElasticBlockStore.VolumeID == b.AWSElasticBlockStore.VolumeID
	case a.ISCSI != nil && b.ISCSI != nil:
		x, y := a.ISCSI, b.ISCSI
		return x.IQN == y.IQN && !(x.ReadOnly && y.ReadOnly)
	case a.RBD != nil && b.RBD != nil:
		x, y := a.RBD, b.RBD
		return x.RBDPool == y.RBDPool && x.RBDImage == y.RBDImage && !(x.ReadOnly && y.ReadOnly) &&
			sets.New(x.CephMonitors...).HasAny(y.CephMonitors...)
	}
	return false
}
