package volumebinding

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/storage/volume"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

// promised is a local volume that is to be made.
type promised struct {
	claim *corev1.PersistentVolumeClaim
	node  string
}

// use is what local volumes ask of nodes as the API knows it; nil where none of the claims is for a local one.
func (p *Plugin) use(waiting []*corev1.PersistentVolumeClaim) (*matching.Use, *framework.Status) {
	local := false
	for _, claim := range waiting {
		class, err := p.classes.Get(volume.GetPersistentVolumeClaimClass(claim))
		local = local || err == nil && class.Provisioner == api.LocalProvisioner
	}
	if !local {
		return nil, nil
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		return nil, framework.Fail(err)
	}
	claims, err := p.claims.List(labels.Everything())
	if err != nil {
		return nil, framework.Fail(err)
	}
	return matching.Used(volumes, claims), nil
}

// promises adds to what the API knows the volumes that this scheduler has asked for. Those that are made, or not wanted any more, are
// forgotten.
func (p *Plugin) promises(use *matching.Use) *matching.Use {
	if use == nil {
		return nil
	}
	all := use.Over()
	p.mu.Lock()
	defer p.mu.Unlock()
	for uid, one := range p.making {
		if now, err := p.claims.PersistentVolumeClaims(one.claim.Namespace).Get(one.claim.Name); use.Has(uid) || err != nil || now.UID != uid {
			delete(p.making, uid)
			continue
		}
		all.Add(one.claim, one.node)
	}
	return all
}

// promise and withdraw are called with the lock held.
func (p *Plugin) promise(c choice, node string) {
	if c.local {
		p.making[c.claim.UID] = promised{c.claim, node}
	}
}

func (p *Plugin) withdraw(c choice) {
	if c.local {
		delete(p.making, c.claim.UID)
	}
}
