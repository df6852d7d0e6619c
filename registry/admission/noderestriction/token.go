package noderestriction

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// token lets a node ask for tokens that its Pods need: bound to them, for audiences that they name.
func (r restriction) token(ctx context.Context, node string, a admission.Attributes) error {
	if a.GetOperation() != admission.Create || a.GetSubresource() != "token" {
		return nil
	}
	request, err := plugin.Object[*authenticationv1.TokenRequest](a)
	if err != nil {
		return err
	}
	ref := request.Spec.BoundObjectRef
	if ref == nil || ref.APIVersion != "v1" || ref.Kind != "Pod" || ref.Name == "" {
		return admission.NewForbidden(a, fmt.Errorf("node requested token not bound to a pod"))
	}
	if ref.UID == "" {
		return admission.NewForbidden(a, fmt.Errorf("node requested token with a pod binding without a uid"))
	}
	pod, err := r.pods.Pods(a.GetNamespace()).Get(ref.Name)
	switch {
	case apierrors.IsNotFound(err):
		return err
	case err != nil:
	case ref.UID != pod.UID:
		err = fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", ref.UID)
	case pod.Spec.NodeName != node:
		err = fmt.Errorf("node requested token bound to a pod scheduled on a different node")
	default:
		err = r.audience(ctx, a, pod, request.Spec.Audiences)
	}
	if err != nil {
		return admission.NewForbidden(a, err)
	}
	return nil
}

// audience checks that the Pod names the token's audience, in a volume or by a CSI driver, or that the node may ask for it
// anyway.
func (r restriction) audience(ctx context.Context, a admission.Attributes, pod *corev1.Pod, audiences []string) error {
	wanted := ""
	switch len(audiences) {
	case 0:
	case 1:
		wanted = audiences[0]
	default:
		return fmt.Errorf("node may only request 0 or 1 audiences")
	}
	named, err := r.names(pod, wanted)
	if named {
		return nil
	}
	if err != nil {
		return fmt.Errorf("error validating audience %q: %w", wanted, err)
	}
	user := a.GetUserInfo().GetName()
	allowed, err := r.may(ctx, a, "request-serviceaccounts-token-audience", wanted, a.GetName())
	switch {
	case allowed:
		return nil
	case err != nil:
		return fmt.Errorf("error authorizing %s to request tokens for audience %q: %w", user, wanted, err)
	}
	return fmt.Errorf("%s is not authorized to request tokens for audience %q", user, wanted)
}

// may reports whether the node has been given a right that its Pods do not give it: what it asks for stands in place of a resource.
func (r restriction) may(ctx context.Context, a admission.Attributes, verb, wanted, account string) (bool, error) {
	decision, _, err := r.authz.Authorize(ctx, authorizer.AttributesRecord{
		User: a.GetUserInfo(), Verb: verb, Namespace: a.GetNamespace(), APIGroup: a.GetResource().Group, APIVersion: a.GetResource().Version,
		Resource: wanted, Name: account, ResourceRequest: true,
	})
	return decision == authorizer.DecisionAllow, err
}

func (r restriction) names(pod *corev1.Pod, audience string) (bool, error) {
	var errs []error
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if projects(v, audience) {
			return true, nil
		}
		driver, err := r.driver(pod, v)
		if err == nil && driver != "" {
			var named bool
			if named, err = r.driverNames(driver, audience); named {
				return true, nil
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return false, utilerrors.NewAggregate(errs)
}

func projects(v *corev1.Volume, audience string) bool {
	if v.Projected == nil {
		return false
	}
	for _, s := range v.Projected.Sources {
		if s.ServiceAccountToken != nil && s.ServiceAccountToken.Audience == audience {
			return true
		}
	}
	return false
}

// driver is the CSI driver of a volume, if it has one.
func (r restriction) driver(pod *corev1.Pod, v *corev1.Volume) (string, error) {
	claim := ""
	switch {
	case v.CSI != nil:
		return v.CSI.Driver, nil
	case v.PersistentVolumeClaim != nil:
		claim = v.PersistentVolumeClaim.ClaimName
	case v.Ephemeral != nil:
		claim = pod.Name + "-" + v.Name
	default:
		return "", nil
	}
	c, err := r.claims.PersistentVolumeClaims(pod.Namespace).Get(claim)
	if err != nil {
		return "", err
	}
	volume, err := r.volumes.Get(c.Spec.VolumeName)
	if err != nil || volume.Spec.CSI == nil {
		return "", err
	}
	return volume.Spec.CSI.Driver, nil
}

func (r restriction) driverNames(name, audience string) (bool, error) {
	driver, err := r.drivers.Get(name)
	if err != nil {
		return false, err
	}
	for _, t := range driver.Spec.TokenRequests {
		if t.Audience == audience {
			return true, nil
		}
	}
	return false, nil
}
