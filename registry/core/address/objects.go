package address

import (
	"context"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	networkingclient "k8s.io/client-go/kubernetes/typed/networking/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
)

// managedBy is who manages the IPAddresses of Services, as others know it.
const managedBy = "ipallocator.k8s.io"

// callTimeout bounds one call to the API.
const callTimeout = 10 * time.Second

// Objects records addresses in IPAddress objects: who creates one of the name has the address. Listers may be nil: then
// free addresses are found by trying, and there are no further ServiceCIDRs.
func Objects(client networkingclient.NetworkingV1Interface, ips networkinglisters.IPAddressLister, cidrs networkinglisters.ServiceCIDRLister) IPs {
	return &objects{client, ips, cidrs}
}

type objects struct {
	client networkingclient.NetworkingV1Interface
	ips    networkinglisters.IPAddressLister
	cidrs  networkinglisters.ServiceCIDRLister
}

func (o *objects) Claim(_ context.Context, ip netip.Addr, s *corev1.Service) error {
	ctx, cancel := callContext()
	defer cancel()
	_, err := o.client.IPAddresses().Create(ctx, &networkingv1.IPAddress{
		ObjectMeta: metav1.ObjectMeta{
			Name:   ip.String(),
			Labels: map[string]string{networkingv1.LabelIPAddressFamily: string(familyOf(ip)), networkingv1.LabelManagedBy: managedBy},
		},
		Spec: networkingv1.IPAddressSpec{ParentRef: &networkingv1.ParentReference{Resource: "services", Namespace: s.Namespace, Name: s.Name}},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return ErrTaken
	}
	return err
}

func (o *objects) Free(_ context.Context, ip netip.Addr) {
	ctx, cancel := callContext()
	defer cancel()
	_ = o.client.IPAddresses().Delete(ctx, ip.String(), metav1.DeleteOptions{})
}

func (o *objects) Taken(ip netip.Addr) bool {
	if o.ips == nil {
		return false
	}
	_, err := o.ips.Get(ip.String())
	return err == nil
}

func (o *objects) CIDRs() (all []netip.Prefix) {
	if o.cidrs == nil {
		return nil
	}
	found, err := o.cidrs.List(labels.Everything())
	if err != nil {
		return nil
	}
	for _, c := range found {
		if !ready(c) {
			continue
		}
		for _, text := range c.Spec.CIDRs {
			if cidr, err := netip.ParsePrefix(text); err == nil {
				all = append(all, cidr)
			}
		}
	}
	return all
}

func ready(c *networkingv1.ServiceCIDR) bool {
	if c.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range c.Status.Conditions {
		if condition.Type == networkingv1.ServiceCIDRConditionReady {
			return condition.Status == metav1.ConditionTrue
		}
	}
	return true // nothing has judged it yet
}

// callContext is not the request's: the call is the server's own, not its user's.
func callContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), callTimeout)
}
