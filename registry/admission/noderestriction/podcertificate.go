package noderestriction

import (
	"context"
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// podCertificate lets a node ask for certificates of its Pods, from the signers that their volumes name. What the caches may show late
// is no "Forbidden": it may be tried again.
func (r restriction) podCertificate(ctx context.Context, node string, a admission.Attributes) error {
	if a.GetOperation() != admission.Create {
		return admission.NewForbidden(a, fmt.Errorf("unexpected operation %v", a.GetOperation()))
	}
	if a.GetSubresource() != "" {
		return admission.NewForbidden(a, fmt.Errorf("unexpected subresource %v", a.GetSubresource()))
	}
	request, err := plugin.Object[*certificatesv1.PodCertificateRequest](a)
	if err != nil {
		return err
	}
	spec := &request.Spec
	if string(spec.NodeName) != node {
		return admission.NewForbidden(a, fmt.Errorf("PodCertificateRequest.Spec.NodeName=%q, which is not the requesting node %q", spec.NodeName, node))
	}
	if err := r.namesNode(a, spec); err != nil {
		return err
	}
	pod, err := r.namedPod(a, spec)
	if err != nil {
		return err
	}
	if err := r.namesAccount(a, spec, pod); err != nil {
		return err
	}
	if err := r.signer(ctx, a, spec, pod); err != nil {
		return admission.NewForbidden(a, err)
	}
	return nil
}

func (r restriction) namesNode(a admission.Attributes, spec *certificatesv1.PodCertificateRequestSpec) error {
	node, err := r.nodes.Get(string(spec.NodeName))
	if err != nil {
		return unlessMissing(a, err, fmt.Sprintf("node %q", spec.NodeName))
	}
	return sameUID(a, spec, "names node UID %q, inconsistent with the running node (%q)", spec.NodeUID, node.UID)
}

func (r restriction) namedPod(a admission.Attributes, spec *certificatesv1.PodCertificateRequestSpec) (*corev1.Pod, error) {
	name := a.GetNamespace() + "/" + spec.PodName
	pod, err := r.pods.Pods(a.GetNamespace()).Get(spec.PodName)
	switch {
	case err != nil:
		return nil, unlessMissing(a, err, fmt.Sprintf("pod %q", name))
	case spec.PodUID != pod.UID:
		return nil, sameUID(a, spec, "contains pod UID (%q) which differs from running pod %q", spec.PodUID, pod.UID)
	case pod.Spec.NodeName != string(spec.NodeName):
		return nil, admission.NewForbidden(a, fmt.Errorf("pod %q is not running on node %q named in the PodCertificateRequest", name, spec.NodeName))
	case core.IsMirror(pod):
		return nil, admission.NewForbidden(a, fmt.Errorf("pod %q is a mirror pod", name))
	}
	return pod, nil
}

func (r restriction) namesAccount(a admission.Attributes, spec *certificatesv1.PodCertificateRequestSpec, pod *corev1.Pod) error {
	if spec.ServiceAccountName != pod.Spec.ServiceAccountName {
		return admission.NewForbidden(a, fmt.Errorf("PodCertificateRequest for pod %q contains serviceAccountName (%q) that differs from running pod (%q)",
			a.GetNamespace()+"/"+spec.PodName, spec.ServiceAccountName, pod.Spec.ServiceAccountName))
	}
	account, err := r.accounts.ServiceAccounts(a.GetNamespace()).Get(spec.ServiceAccountName)
	if err != nil {
		return unlessMissing(a, err, fmt.Sprintf("service account %q", a.GetNamespace()+"/"+spec.ServiceAccountName))
	}
	return sameUID(a, spec, "names service account UID %q, which differs from the running service account (%q)", spec.ServiceAccountUID, account.UID)
}

// unlessMissing forbids what cannot be checked. What is missing may be too new for the cache.
func unlessMissing(a admission.Attributes, err error, what string) error {
	err = fmt.Errorf("while retrieving %s named in the PodCertificateRequest: %w", what, err)
	if apierrors.IsNotFound(err) {
		return err
	}
	return admission.NewForbidden(a, err)
}

// sameUID: caches may lag, so a difference is no refusal for good.
func sameUID(a admission.Attributes, spec *certificatesv1.PodCertificateRequestSpec, differs string, named, is types.UID) error {
	if named == is {
		return nil
	}
	return fmt.Errorf("PodCertificateRequest for pod %q "+differs, a.GetNamespace()+"/"+spec.PodName, named, is)
}

func (r restriction) signer(ctx context.Context, a admission.Attributes, spec *certificatesv1.PodCertificateRequestSpec, pod *corev1.Pod) error {
	for i := range pod.Spec.Volumes {
		if asks(&pod.Spec.Volumes[i], spec.SignerName) {
			return nil
		}
	}
	allowed, err := r.may(ctx, a, "request-serviceaccounts-podcertificate-signer", strings.ReplaceAll(spec.SignerName, "/", ":"), spec.ServiceAccountName)
	switch {
	case allowed:
		return nil
	case err != nil:
		return fmt.Errorf("error authorizing %s to request podcertificaterequests for signer %q: %w", a.GetUserInfo().GetName(), spec.SignerName, err)
	}
	return fmt.Errorf("pod %q does not mount a podCertificate projected volume for signer %q", a.GetNamespace()+"/"+spec.PodName, spec.SignerName)
}

func asks(v *corev1.Volume, signer string) bool {
	if v.Projected == nil {
		return false
	}
	for _, s := range v.Projected.Sources {
		if s.PodCertificate != nil && s.PodCertificate.SignerName == signer {
			return true
		}
	}
	return false
}
