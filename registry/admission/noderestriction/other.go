package noderestriction

import (
	"errors"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apiserver/pkg/admission"

	"github.com/coracle-k8s/coracle/apis/rule"
	"github.com/coracle-k8s/coracle/registry/admission/certificates"
	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// sameName is for objects called like their node. The name of a new object is known by the object only.
func sameName(node string, a admission.Attributes, otherwise string) error {
	name := a.GetName()
	if a.GetOperation() == admission.Create {
		obj, err := meta.Accessor(a.GetObject())
		if err != nil {
			return admission.NewForbidden(a, errors.New("unable to access the object name"))
		}
		name = obj.GetName()
	}
	if name != node {
		return admission.NewForbidden(a, errors.New(otherwise))
	}
	return nil
}

// claimStatus lets a node report the capacity and conditions of a claim.
func claimStatus(node string, a admission.Attributes) error {
	if a.GetSubresource() != "status" {
		return admission.NewForbidden(a, errors.New("may only update PVC status"))
	}
	if a.GetOperation() != admission.Update {
		return admission.NewForbidden(a, fmt.Errorf("unexpected operation %q", a.GetOperation()))
	}
	claim, err := plugin.Object[*corev1.PersistentVolumeClaim](a)
	if err != nil {
		return err
	}
	old, err := plugin.Old[*corev1.PersistentVolumeClaim](a)
	if err != nil {
		return err
	}
	if was, is := withoutReport(old), withoutReport(claim); !equality.Semantic.DeepEqual(was, is) {
		return admission.NewForbidden(a, fmt.Errorf("node %q is not allowed to update fields other than status.quantity and status.conditions: %v", node, diff.Diff(rule.Internal(was), rule.Internal(is))))
	}
	return nil
}

func withoutReport(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolumeClaim {
	rest := *claim
	rest.TypeMeta = metav1.TypeMeta{} // what is read has none, what came from a client does
	rest.ResourceVersion, rest.ManagedFields = "", nil
	rest.Status.Capacity, rest.Status.Conditions = nil, nil
	rest.Status.AllocatedResources, rest.Status.AllocatedResourceStatuses = nil, nil
	return &rest
}

func slice(node string, a admission.Attributes) error {
	var s *resourcev1.ResourceSlice
	var err error
	verb := "create"
	switch a.GetOperation() {
	case admission.Create:
		s, err = plugin.Object[*resourcev1.ResourceSlice](a)
	case admission.Delete:
		verb = "delete"
		s, err = plugin.Old[*resourcev1.ResourceSlice](a)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if s.Spec.NodeName == nil || *s.Spec.NodeName != node {
		return admission.NewForbidden(a, fmt.Errorf("can only %s ResourceSlice with the same NodeName as the requesting node", verb))
	}
	return nil
}

// request lets a node ask for certificates in its own name only.
func request(node string, a admission.Attributes) error {
	if a.GetOperation() != admission.Create {
		return nil
	}
	csr, err := plugin.Object[*certificatesv1.CertificateSigningRequest](a)
	if err != nil {
		return err
	}
	if csr.Spec.SignerName != certificatesv1.KubeletServingSignerName && csr.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName {
		return nil
	}
	parsed, err := certificates.Parse(csr.Spec.Request)
	if err != nil {
		return admission.NewForbidden(a, fmt.Errorf("unable to parse csr: %w", err))
	}
	if user := "system:node:" + node; parsed.Subject.CommonName != user {
		return admission.NewForbidden(a, fmt.Errorf("can only create a node CSR with CN=%s", user))
	}
	return nil
}
