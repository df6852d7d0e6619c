package matching

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/storage/volume"

	api "github.com/coracle-k8s/coracle/apis/volume"
)

// Use is what local volumes, made or to be made, ask of each node.
type Use struct {
	nodes  map[string]int64
	claims map[types.UID]bool
	below  *Use // counts, too
}

// Used sums up volumes, and claims whose volume is being made. What a claim asks for counts once.
func Used(volumes []*corev1.PersistentVolume, claims []*corev1.PersistentVolumeClaim) *Use {
	u := &Use{nodes: map[string]int64{}, claims: map[types.UID]bool{}}
	for _, v := range volumes {
		if node := v.Annotations[api.LocalNode]; node != "" {
			u.nodes[node] += v.Spec.Capacity.Storage().Value()
			if v.Spec.ClaimRef != nil {
				u.claims[v.Spec.ClaimRef.UID] = true
			}
		}
	}
	for _, c := range claims {
		if node := Selected(c); node != "" && c.Spec.VolumeName == "" && c.Annotations[volume.AnnStorageProvisioner] == api.LocalProvisioner {
			u.Add(c, node)
		}
	}
	return u
}

// Over can be added to without changing u.
func (u *Use) Over() *Use {
	return &Use{nodes: map[string]int64{}, claims: map[types.UID]bool{}, below: u}
}

// Add adds a claim whose volume is to be made on a node, unless it counts already.
func (u *Use) Add(claim *corev1.PersistentVolumeClaim, node string) {
	if !u.Has(claim.UID) {
		u.claims[claim.UID] = true
		u.nodes[node] += claim.Spec.Resources.Requests.Storage().Value()
	}
}

// Has tells whether a claim counts already.
func (u *Use) Has(claim types.UID) bool { return u != nil && (u.claims[claim] || u.below.Has(claim)) }

// Of is what is asked of a node, in bytes.
func (u *Use) Of(node string) int64 {
	if u == nil {
		return 0
	}
	return u.nodes[node] + u.below.Of(node)
}

// NoRoom is why a claim's volume cannot be made on a node, nil if it can.
func (u *Use) NoRoom(claim *corev1.PersistentVolumeClaim, node *corev1.Node) error {
	room, is := Room(node)
	if !is {
		return fmt.Errorf("node %s has no local storage", node.Name)
	}
	if u.Has(claim.UID) {
		return nil
	}
	if asks, used := claim.Spec.Resources.Requests.Storage(), u.Of(node.Name); asks.Value() > room-used {
		return fmt.Errorf("node %s has no room: %s is asked for, and of %s for local volumes %s is taken", node.Name, asks, bytes(room), bytes(used))
	}
	return nil
}

func bytes(n int64) *resource.Quantity { return resource.NewQuantity(n, resource.BinarySI) }

// Room is how many bytes of local volumes a node has room for in all; false where it makes none.
func Room(node *corev1.Node) (int64, bool) {
	q, err := resource.ParseQuantity(node.Annotations[api.LocalRoom])
	if err != nil {
		return 0, false
	}
	return q.Value(), true
}
