package framework

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Action is a set of kinds of change.
type Action uint32

// What can change so that a pod may fit.
const (
	NodeAdded Action = 1 << iota
	NodeAllocatableChanged
	NodeLabelsChanged
	NodeTaintsChanged
	NodeDeclaredFeaturesChanged
	NodeRemoved
	// Assigned pods: those with a node.
	PodAssigned
	PodLabelsChanged
	PodShrunk
	PodRemoved
	// The pending pod itself.
	SelfChanged
	ClaimChanged
	VolumeChanged
	StorageClassChanged
	CSINodeChanged
	CSIDriverChanged
	CSICapacityChanged
	ResourceClaimChanged
	ResourceSliceChanged
	DeviceClassChanged
	NamespaceChanged
)

// Event is a change in the cluster.
type Event struct {
	Action Action
	// Old and New are the object before and after: Old is nil for one that is new, New for one that is gone.
	Old, New runtime.Object
}

// Interest is a kind of event that may make a rejected pod schedulable.
type Interest struct {
	Actions Action
	// Helps says whether this very event may help this pod: nil for always.
	Helps func(pod *corev1.Pod, event Event) bool
}
