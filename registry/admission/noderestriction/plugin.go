// Package noderestriction keeps nodes to their own objects: what the node authorizer cannot decide without seeing them.
// See https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction.
package noderestriction

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
	"github.com/coracle-k8s/coracle/registry/authz/node"
)

type restriction struct {
	pods     listers.PodLister
	nodes    listers.NodeLister
	claims   listers.PersistentVolumeClaimLister
	volumes  listers.PersistentVolumeLister
	accounts listers.ServiceAccountLister
	drivers  storagelisters.CSIDriverLister
	authz    authorizer.UnconditionalAuthorizer
}

// New makes the plugin.
func New(factory informers.SharedInformerFactory, authz authorizer.UnconditionalAuthorizer) admission.Interface {
	core := factory.Core().V1()
	r := restriction{
		pods: core.Pods().Lister(), nodes: core.Nodes().Lister(), claims: core.PersistentVolumeClaims().Lister(),
		volumes: core.PersistentVolumes().Lister(), accounts: core.ServiceAccounts().Lister(), drivers: factory.Storage().V1().CSIDrivers().Lister(), authz: authz,
	}
	return plugin.Mutating(plugin.On{
		Operations: []admission.Operation{admission.Create, admission.Update, admission.Delete},
		Concerns: func(a admission.Attributes) bool {
			_, isNode := node.Name(a.GetUserInfo())
			return isNode
		},
		Synced: []cache.InformerSynced{core.Pods().Informer().HasSynced, core.Nodes().Informer().HasSynced},
	}, r.admit)
}

func (r restriction) admit(ctx context.Context, a admission.Attributes) error {
	name, _ := node.Name(a.GetUserInfo())
	if name == "" {
		return admission.NewForbidden(a, fmt.Errorf("could not determine node from user %q", a.GetUserInfo().GetName()))
	}
	switch a.GetResource().GroupResource() {
	case schema.GroupResource{Resource: "pods"}:
		return r.pod(name, a)
	case schema.GroupResource{Resource: "nodes"}:
		return ownNode(name, a)
	case schema.GroupResource{Resource: "persistentvolumeclaims"}:
		return claimStatus(name, a)
	case schema.GroupResource{Resource: "serviceaccounts"}:
		return r.token(ctx, name, a)
	case schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}:
		if a.GetNamespace() != leases {
			return admission.NewForbidden(a, fmt.Errorf("can only access leases in the %q system namespace", leases))
		}
		return sameName(name, a, "can only access node lease with the same name as the requesting node")
	case schema.GroupResource{Group: "storage.k8s.io", Resource: "csinodes"}:
		return sameName(name, a, "can only access CSINode with the same name as the requesting node")
	case schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceslices"}:
		return slice(name, a)
	case schema.GroupResource{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}:
		return request(name, a)
	case schema.GroupResource{Group: "certificates.k8s.io", Resource: "podcertificaterequests"}:
		return r.podCertificate(ctx, name, a)
	}
	return nil
}

// leases is the namespace of the nodes' signs of life.
const leases = "kube-node-lease"
