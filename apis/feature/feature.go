// Package feature has the feature gates that decide which fields the API takes: a field whose feature is off is dropped from
// what clients send, unless the stored object uses it already (so that a version with the feature can be left again).
// See https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/.
package feature

// Gate names a feature as Kubernetes does.
type Gate string

// The features that an API field here depends on.
const (
	AtomicWriteVolumeUserFields                  Gate = "AtomicWriteVolumeUserFields"
	ContainerStopSignals                         Gate = "ContainerStopSignals"
	CoordinatedLeaderElection                    Gate = "CoordinatedLeaderElection"
	CrossNamespaceVolumeDataSource               Gate = "CrossNamespaceVolumeDataSource"
	CSIVolumeHealth                              Gate = "CSIVolumeHealth"
	DRADerivedAttributes                         Gate = "DRADerivedAttributes"
	DRADeviceCompatibilityGroups                 Gate = "DRADeviceCompatibilityGroups"
	DRAListTypeAttributes                        Gate = "DRAListTypeAttributes"
	DRANodeAllocatableResources                  Gate = "DRANodeAllocatableResources"
	DRAOptionalNodeOperations                    Gate = "DRAOptionalNodeOperations"
	DRAPartitionableDevicesType                  Gate = "DRAPartitionableDevicesType"
	EmptyDirVolumeMode                           Gate = "EmptyDirVolumeMode"
	EvictionRequestAPI                           Gate = "EvictionRequestAPI"
	GenericWorkload                              Gate = "GenericWorkload"
	GRPCContainerProbeTLS                        Gate = "GRPCContainerProbeTLS"
	H2CContainerProbe                            Gate = "H2CContainerProbe"
	ImageVolumeWithDigest                        Gate = "ImageVolumeWithDigest"
	InPlacePodVerticalScalingSchedulerPreemption Gate = "InPlacePodVerticalScalingSchedulerPreemption"
	VolumeBindMountOptions                       Gate = "VolumeBindMountOptions"
	WorkloadWithJob                              Gate = "WorkloadWithJob"
)

// Gates are the features of one server, as far as they differ from Kubernetes' defaults for this version. All that are named
// above are off there: what is on by default needs no gate here.
type Gates map[Gate]bool

// On reports whether the feature is on. The nil map answers with the defaults.
func (g Gates) On(gate Gate) bool { return g[gate] }

// Field is one that a feature brings, in objects (or parts of them) of type T, a pointer.
type Field[T any] struct {
	Gate Gate
	// InUse reports whether the field is set; Drop clears it. Both take objects that lack any part of the way to it.
	InUse func(obj T) bool
	Drop  func(obj T)
}

// Drop clears in obj what is off and not in use in old, which is nil for a new object.
func Drop[T any](gates Gates, fields []Field[T], obj T, old *T) {
	for _, f := range fields {
		if gates.On(f.Gate) || old != nil && f.InUse(*old) {
			continue
		}
		f.Drop(obj)
	}
}

// In gives the fields of a part as fields of the whole.
func In[T, P any](fields []Field[P], part func(T) P) []Field[T] {
	var all []Field[T]
	for _, f := range fields {
		all = append(all, Field[T]{f.Gate, func(obj T) bool { return f.InUse(part(obj)) }, func(obj T) { f.Drop(part(obj)) }})
	}
	return all
}
