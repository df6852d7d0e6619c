package garbagecollector

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// standing is what is known of one owner of an object.
type standing int

const (
	// solid owners are there and stay.
	solid standing = iota
	// dangling references name something that does not exist.
	dangling
	// waiting owners are deleted in the foreground, as soon as this object is gone.
	waiting
)

// owners are an object's references by their owners' standing.
type owners map[standing][]metav1.OwnerReference

// verdict is what is to be done with an object because of its owners.
type verdict struct {
	// dropOwners are references to remove.
	dropOwners []types.UID
	// unblock all references first, so that a ring of objects that wait for one another opens.
	unblock bool
	// delete with this policy, unless it is empty.
	delete metav1.DeletionPropagation
}

// decide judges an object that is not being deleted. finalizers are the object's, dependents those that it owns.
//
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/#owners-dependents
func decide(refs owners, finalizers []string, dependents []*vertex) verdict {
	switch {
	case len(refs[solid])+len(refs[dangling])+len(refs[waiting]) == 0:
		return verdict{}
	case len(refs[solid]) > 0:
		return verdict{dropOwners: append(uids(refs[dangling]), uids(refs[waiting])...)}
	case len(refs[waiting]) > 0 && len(dependents) > 0:
		ring := slices.ContainsFunc(dependents, func(d *vertex) bool { return d.foreground })
		return verdict{unblock: ring, delete: metav1.DeletePropagationForeground}
	case slices.Contains(finalizers, metav1.FinalizerOrphanDependents):
		return verdict{delete: metav1.DeletePropagationOrphan}
	case slices.Contains(finalizers, metav1.FinalizerDeleteDependents):
		return verdict{delete: metav1.DeletePropagationForeground}
	}
	return verdict{delete: metav1.DeletePropagationBackground}
}

func uids(refs []metav1.OwnerReference) []types.UID {
	var all []types.UID
	for _, ref := range refs {
		all = append(all, ref.UID)
	}
	return all
}

// blockers are the dependents for which an object that is deleted in the foreground waits.
func blockers(uid types.UID, dependents []*vertex) []*vertex {
	return slices.DeleteFunc(slices.Clone(dependents), func(d *vertex) bool { return !d.blocks(uid) })
}

// without returns the references but for those with one of the UIDs.
func without(refs []metav1.OwnerReference, drop []types.UID) []metav1.OwnerReference {
	return slices.DeleteFunc(slices.Clone(refs), func(ref metav1.OwnerReference) bool { return slices.Contains(drop, ref.UID) })
}

// unblocked returns the references, none of them blocking.
func unblocked(refs []metav1.OwnerReference) []metav1.OwnerReference {
	free := slices.Clone(refs)
	for i := range free {
		no := false
		free[i].BlockOwnerDeletion = &no
	}
	return free
}
