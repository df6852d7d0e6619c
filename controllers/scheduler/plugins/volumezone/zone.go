// Package volumezone keeps pods to the zones of their volumes, where these
// say so by labels.
package volumezone

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var conflict = framework.Reject(framework.Unresolvable, "node(s) had no available volume zone")

// topologies are the labels of volumes that mean places, and the ones that
// nodes may have in their stead.
var topologies = map[string]string{
	corev1.LabelTopologyZone:            corev1.LabelFailureDomainBetaZone,
	corev1.LabelTopologyRegion:          corev1.LabelFailureDomainBetaRegion,
	corev1.LabelFailureDomainBetaZone:   corev1.LabelTopologyZone,
	corev1.LabelFailureDomainBetaRegion: corev1.LabelTopologyRegion,
}

// Plugin compares labels of bound volumes with those of nodes.
type Plugin struct {
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
}

// New returns a plugin that knows claims and volumes.
func New(factory informers.SharedInformerFactory) *Plugin {
	v1 := factory.Core().V1()
	return &Plugin{claims: v1.PersistentVolumeClaims().Lister(), volumes: v1.PersistentVolumes().Lister()}
}

// Name is the plugin's name upstream.
func (*Plugin) Name() string { return "VolumeZone" }

// Interests are nodes, claims and volumes that change.
func (*Plugin) Interests() []framework.Interest {
	return []framework.Interest{{Actions: framework.NodeAdded | framework.NodeLabelsChanged | framework.ClaimChanged | framework.VolumeChanged | framework.StorageClassChanged}}
}

// Prepare rejects nodes outside of the zones of the pod's volumes. Claims
// without a volume are another plugin's business.
func (p *Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	var wanted []place
	for i := range pod.Spec.Volumes {
		source := pod.Spec.Volumes[i].PersistentVolumeClaim
		if source == nil {
			continue
		}
		claim, err := p.claims.PersistentVolumeClaims(pod.Namespace).Get(source.ClaimName)
		if err != nil || claim.Spec.VolumeName == "" {
			continue
		}
		volume, err := p.volumes.Get(claim.Spec.VolumeName)
		if err != nil {
			continue
		}
		for label := range topologies {
			if value, has := volume.Labels[label]; has {
				wanted = append(wanted, place{label, strings.Split(value, "__")})
			}
		}
	}
	if len(wanted) == 0 {
		return framework.Opinion{}, nil
	}
	return framework.Opinion{Filter: func(node *snapshot.Node) *framework.Status {
		if !placed(node.Node) {
			// A cluster of one zone need not label its nodes.
			return nil
		}
		for _, place := range wanted {
			if !place.holds(node.Node) {
				return conflict
			}
		}
		return nil
	}}, nil
}

// place is a label and the values that it may have.
type place struct {
	label  string
	values []string
}

func (p place) holds(node *corev1.Node) bool {
	value, has := node.Labels[p.label]
	if !has {
		value, has = node.Labels[topologies[p.label]]
	}
	for _, wanted := range p.values {
		if has && wanted == value {
			return true
		}
	}
	return false
}

func placed(node *corev1.Node) bool {
	for label := range topologies {
		if _, has := node.Labels[label]; has {
			return true
		}
	}
	return false
}
