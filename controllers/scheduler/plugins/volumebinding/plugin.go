package volumebinding

import (
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/component-helpers/storage/volume"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

var (
	nodeConflict = framework.Reject(framework.Unresolvable, "node(s) didn't match PersistentVolume's node affinity")
	noneFound    = framework.Reject(framework.Unresolvable, "node(s) didn't find available persistent volumes to bind")
	noRoom       = framework.Reject(framework.Unresolvable, "node(s) did not have enough free storage")
	volumeGone   = framework.Reject(framework.Unresolvable, "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)")
)

// Plugin matches claims with volumes, and remembers its choices until the API knows them.
type Plugin struct {
	client  kubernetes.Interface
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister

	mu sync.Mutex
	// taken are the volumes that were chosen for a claim and do not say so yet, by name.
	taken map[string]*corev1.PersistentVolume
	// making are the local volumes that nodes were chosen for, by the claim's UID, until they are there.
	making map[types.UID]promised
}

// New returns a plugin that writes its choices by the client.
func New(factory informers.SharedInformerFactory, client kubernetes.Interface) *Plugin {
	v1 := factory.Core().V1()
	return &Plugin{
		client:  client,
		claims:  v1.PersistentVolumeClaims().Lister(),
		volumes: v1.PersistentVolumes().Lister(),
		classes: factory.Storage().V1().StorageClasses().Lister(),
		taken:   map[string]*corev1.PersistentVolume{},
		making:  map[types.UID]promised{},
	}
}

// Name is the plugin's name upstream.
func (*Plugin) Name() string { return "VolumeBinding" }

// Interests are claims of the pod, and all that volumes depend on.
func (*Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.ClaimChanged, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			claim, ok := event.New.(*corev1.PersistentVolumeClaim)
			return ok && claim.Namespace == pod.Namespace
		}},
		{Actions: framework.VolumeChanged | framework.StorageClassChanged | framework.NodeAdded | framework.NodeLabelsChanged |
			framework.CSINodeChanged | framework.CSIDriverChanged | framework.CSICapacityChanged},
	}
}

// Prepare rejects nodes that cannot reach the pod's volumes, or for which
// there are none and none can be made.
func (p *Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	w, status := p.wishesOf(pod.Pod)
	if status != nil || len(w.bound)+len(w.waiting) == 0 {
		return framework.Opinion{}, status
	}
	waiting, status := p.candidates(w.waiting)
	if status != nil {
		return framework.Opinion{}, status
	}
	use, status := p.use(w.waiting)
	if status != nil {
		return framework.Opinion{}, status
	}
	opinion := framework.Opinion{Filter: func(node *snapshot.Node) *framework.Status {
		if status := p.reach(w.bound, node.Node); status != nil {
			return status
		}
		_, status := p.match(waiting, use, node.Node)
		return status
	}}
	if len(waiting) > 0 {
		r := &reservation{plugin: p, waiting: waiting, use: use}
		opinion.Score = func(feasible []*snapshot.Node) []int64 { return p.rate(waiting, use, feasible) }
		opinion.Reserve, opinion.Unreserve, opinion.BeforeBinding = r.reserve, r.unreserve, r.write
	}
	return opinion, nil
}

// candidates finds for every waiting claim the volumes that it might get. Claims for little come first, so that they
// leave large volumes to those for much.
func (p *Plugin) candidates(claims []*corev1.PersistentVolumeClaim) ([]*matching.Candidates, *framework.Status) {
	if len(claims) == 0 {
		return nil, nil
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		return nil, framework.Fail(err)
	}
	slices.SortStableFunc(claims, func(a, b *corev1.PersistentVolumeClaim) int {
		return a.Spec.Resources.Requests.Storage().Cmp(*b.Spec.Resources.Requests.Storage())
	})
	all := make([]*matching.Candidates, len(claims))
	for i, claim := range claims {
		all[i] = matching.NewCandidates(claim, volumes)
	}
	return all, nil
}

// reach checks that a node can reach the volumes of bound claims.
func (p *Plugin) reach(claims []*corev1.PersistentVolumeClaim, node *corev1.Node) *framework.Status {
	for _, claim := range claims {
		bound, err := p.volumes.Get(claim.Spec.VolumeName)
		if err != nil {
			return volumeGone
		}
		if volume.CheckNodeAffinity(bound, node.Labels) != nil {
			return nodeConflict
		}
	}
	return nil
}

// choice is what a claim gets: a volume that there is, or one that is to be made.
type choice struct {
	claim  *corev1.PersistentVolumeClaim
	volume *corev1.PersistentVolume
	local  bool // one that is to be made in a directory of the node
}

// match chooses for every waiting claim, as if the pod went to the node.
func (p *Plugin) match(waiting []*matching.Candidates, use *matching.Use, node *corev1.Node) ([]choice, *framework.Status) {
	if len(waiting) == 0 {
		return nil, nil
	}
	excluded, promises := p.takenVolumes(), p.promises(use)
	choices := make([]choice, 0, len(waiting))
	for _, candidates := range waiting {
		claim := candidates.Claim()
		c := choice{claim: claim}
		switch selected := matching.Selected(claim); selected {
		case "":
			var err error
			if c.volume, err = candidates.On(node, excluded); err != nil {
				return nil, framework.Fail(err)
			}
		case node.Name:
		default:
			return nil, noneFound
		}
		if c.volume != nil {
			excluded[c.volume.Name] = c.volume
		} else if status := p.make(&c, promises, node); status != nil {
			return nil, status
		}
		choices = append(choices, c)
	}
	return choices, nil
}

// takenVolumes copies those of taken that do not say themselves whose they are.
func (p *Plugin) takenVolumes() map[string]*corev1.PersistentVolume {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := make(map[string]*corev1.PersistentVolume, len(p.taken))
	for name, pv := range p.taken {
		if now, err := p.volumes.Get(name); err == nil && now.Spec.ClaimRef == nil {
			taken[name] = pv
		} else {
			delete(p.taken, name)
		}
	}
	return taken
}

// make has a volume made by the claim's class for the node, if it can be.
func (p *Plugin) make(c *choice, promises *matching.Use, node *corev1.Node) *framework.Status {
	class, err := p.classes.Get(volume.GetPersistentVolumeClaimClass(c.claim))
	if err != nil || class.Provisioner == "" || class.Provisioner == volume.NotSupportedProvisioner || !allowed(class, node) {
		return noneFound
	}
	if class.Provisioner != api.LocalProvisioner {
		return nil
	}
	if promises.NoRoom(c.claim, node) != nil {
		return noRoom
	}
	promises.Add(c.claim, node.Name)
	c.local = true
	return nil
}

// allowed says whether a node is in one of a class's topologies; none means everywhere.
func allowed(class *storagev1.StorageClass, node *corev1.Node) bool {
	for _, term := range class.AllowedTopologies {
		matches := len(term.MatchLabelExpressions) > 0
		for _, expression := range term.MatchLabelExpressions {
			found := false
			for _, value := range expression.Values {
				actual, has := node.Labels[expression.Key]
				found = found || has && actual == value
			}
			matches = matches && found
		}
		if matches {
			return true
		}
	}
	return len(class.AllowedTopologies) == 0
}
