package node

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/coracle-k8s/coracle/registry/authz/rbac"
)

// Authorize implements authorizer.UnconditionalAuthorizer.
func (n *Authorizer) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	name, ok := Name(a.GetUser())
	if !ok {
		return authorizer.DecisionNoOpinion, "", nil
	}
	if name == "" {
		return authorizer.DecisionNoOpinion, fmt.Sprintf("unknown node for user %q", a.GetUser().GetName()), nil
	}
	switch refusal := n.refuse(name, a); refusal {
	case "":
		return authorizer.DecisionAllow, "", nil
	case noRule:
		return authorizer.DecisionNoOpinion, "", nil
	default:
		return authorizer.DecisionNoOpinion, refusal, nil
	}
}

// refuse says why a node may not do something, or nothing if it may.
func (n *Authorizer) refuse(node string, a authorizer.Attributes) string {
	if a.IsResourceRequest() {
		switch (schema.GroupResource{Group: a.GetAPIGroup(), Resource: a.GetResource()}) {
		case schema.GroupResource{Resource: "secrets"}:
			return n.read(node, a, n.related.secret)
		case schema.GroupResource{Resource: "configmaps"}:
			return n.read(node, a, n.related.configMap)
		case schema.GroupResource{Resource: "persistentvolumeclaims"}:
			if a.GetSubresource() == "status" {
				return n.updateStatus(node, a, n.related.claim)
			}
			return n.get(node, a, n.related.claim)
		case schema.GroupResource{Resource: "persistentvolumes"}:
			return n.get(node, a, n.related.volume)
		case schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceclaims"}:
			return n.get(node, a, n.related.resourceClaim)
		case schema.GroupResource{Group: "storage.k8s.io", Resource: "volumeattachments"}:
			return n.get(node, a, n.related.attachment)
		case schema.GroupResource{Resource: "serviceaccounts"}:
			return n.serviceAccount(node, a)
		case schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}:
			return lease(node, a)
		case schema.GroupResource{Group: "storage.k8s.io", Resource: "csinodes"}:
			return csiNode(node, a)
		case schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceslices"}:
			return n.resourceSlice(node, a)
		case schema.GroupResource{Group: "certificates.k8s.io", Resource: "podcertificaterequests"}:
			return n.certificateRequest(node, a)
		case schema.GroupResource{Resource: "nodes"}:
			return ownNode(node, a)
		case schema.GroupResource{Resource: "pods"}:
			return n.pod(node, a)
		}
	}
	if rbac.Allows(a, n.rules) {
		return ""
	}
	return noRule
}

// noRule stands for a refusal that needs no words.
const noRule = "no rule"

// relation reports whether the node needs the object.
type relation func(node, namespace, name string) bool

func mustRelate(node string, a authorizer.Attributes, related relation) string {
	switch {
	case a.GetName() == "":
		return "No Object name found"
	case !related(node, a.GetNamespace(), a.GetName()):
		return fmt.Sprintf("no relationship found between node '%s' and this object", node)
	}
	return ""
}

// read allows to read a single object of a namespace.
func (n *Authorizer) read(node string, a authorizer.Attributes, related relation) string {
	switch {
	case !isRead(a.GetVerb()):
		return "can only read resources of this type"
	case a.GetSubresource() != "":
		return "cannot read subresource"
	case a.GetNamespace() == "":
		return "can only read namespaced object of this type"
	}
	return mustRelate(node, a, related)
}

func (n *Authorizer) get(node string, a authorizer.Attributes, related relation) string {
	switch {
	case a.GetVerb() != "get":
		return "can only get individual resources of this type"
	case a.GetSubresource() != "":
		return "cannot get subresource"
	}
	return mustRelate(node, a, related)
}

func (n *Authorizer) updateStatus(node string, a authorizer.Attributes, related relation) string {
	if a.GetVerb() != "update" && a.GetVerb() != "patch" {
		return "can only get/update/patch this type"
	}
	return mustRelate(node, a, related)
}

func (n *Authorizer) serviceAccount(node string, a authorizer.Attributes) string {
	switch {
	case a.GetVerb() == "get" && a.GetSubresource() == "":
		return n.read(node, a, n.related.serviceAccount)
	case a.GetVerb() != "create" || a.GetName() == "":
		return "can only create tokens for individual service accounts"
	case a.GetSubresource() != "token":
		return "can only create token subresource of serviceaccount"
	}
	return mustRelate(node, a, n.related.serviceAccount)
}

// The name of what is created is not known yet: admission (NodeRestriction) checks it.

func lease(node string, a authorizer.Attributes) string {
	switch {
	case !isReadOrWrite(a.GetVerb()):
		return "can only get, create, update, patch, or delete a node lease"
	case a.GetNamespace() != leases:
		return fmt.Sprintf("can only access leases in the %q system namespace", leases)
	case a.GetVerb() != "create" && a.GetName() != node:
		return "can only access node lease with the same name as the requesting node"
	}
	return ""
}

func csiNode(node string, a authorizer.Attributes) string {
	switch {
	case a.GetSubresource() == "status":
		return "CSINode status access requires CSIVolumeHealth feature"
	case a.GetSubresource() != "":
		return "cannot authorize CSINode subresources"
	case !isReadOrWrite(a.GetVerb()):
		return "can only get, create, update, patch, or delete a CSINode"
	case a.GetVerb() != "create" && a.GetName() != node:
		return "can only access CSINode with the same name as the requesting node"
	}
	return ""
}

func (n *Authorizer) resourceSlice(node string, a authorizer.Attributes) string {
	if a.GetSubresource() != "" {
		return "cannot authorize ResourceSlice subresources"
	}
	switch a.GetVerb() {
	case "create":
		return ""
	case "get", "update", "patch", "delete":
		return mustRelate(node, a, n.related.resourceSlice)
	case "watch", "list", "deletecollection":
		if selects(a, "spec.nodeName", node) {
			return ""
		}
		return "can only list/watch/deletecollection resourceslices with nodeName field selector"
	}
	return "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection"
}

// certificateRequest is for the requests that a node makes for its Pods.
func (n *Authorizer) certificateRequest(node string, a authorizer.Attributes) string {
	if a.GetSubresource() != "" {
		return "nodes may not access the status subresource of PodCertificateRequests"
	}
	switch a.GetVerb() {
	case "create":
		return ""
	case "get":
		return mustRelate(node, a, n.related.certificateRequest)
	case "list", "watch":
		if selects(a, "spec.nodeName", node) {
			return ""
		}
		return "can only list/watch podcertificaterequests with nodeName field selector"
	}
	return fmt.Sprintf("nodes may not %s podcertificaterequests", a.GetVerb())
}

func ownNode(node string, a authorizer.Attributes) string {
	switch a.GetSubresource() + ":" + a.GetVerb() {
	case ":create", ":update", ":patch", "status:update", "status:patch":
		return ""
	case ":get", ":list", ":watch":
		switch a.GetName() {
		case node:
			return ""
		case "":
			return fmt.Sprintf("node '%s' cannot read all nodes, only its own Node object", node)
		}
		return fmt.Sprintf("node '%s' cannot read '%s', only its own Node object", node, a.GetName())
	}
	return noRule
}

func (n *Authorizer) pod(node string, a authorizer.Attributes) string {
	switch a.GetSubresource() + ":" + a.GetVerb() {
	case ":create", ":delete", "status:update", "status:patch", "eviction:create":
		return ""
	case ":get":
		return mustRelate(node, a, n.related.pod)
	case ":list", ":watch":
		switch {
		case selects(a, "spec.nodeName", node):
			return ""
		case a.GetName() != "":
			return mustRelate(node, a, n.related.pod)
		}
		return "can only list/watch pods with spec.nodeName field selector"
	}
	return noRule
}

func isRead(verb string) bool { return verb == "get" || verb == "list" || verb == "watch" }

func isReadOrWrite(verb string) bool {
	switch verb {
	case "get", "create", "update", "patch", "delete":
		return true
	}
	return false
}

func selects(a authorizer.Attributes, field, value string) bool {
	selector, err := a.GetFieldSelector()
	if err != nil {
		return false
	}
	for _, r := range selector {
		if r.Field == field && r.Operator == selection.Equals && r.Value == value {
			return true
		}
	}
	return false
}
