package bootstrap

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	serviceName = "kubernetes"
	servicePort = 443
	portName    = "https"
)

// serviceAddress is the first of the range.
func serviceAddress(c Config) string { return c.ServiceCIDR.Addr().Next().String() }

// ensureService makes the Service under which Pods reach the API server, and takes back what others have changed of its purpose. Its
// endpoints are Publish's. Where another Service has the address, that one stays.
func ensureService(ctx context.Context, c Config) error {
	services := c.Client.CoreV1().Services(metav1.NamespaceDefault)
	ports := []corev1.ServicePort{{Name: portName, Protocol: corev1.ProtocolTCP, Port: servicePort, TargetPort: intstr.FromInt(c.Port)}}
	err := keep(ctx, services, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: serviceName, Namespace: metav1.NamespaceDefault,
			Labels: map[string]string{"provider": "kubernetes", "component": "apiserver"},
		},
		Spec: corev1.ServiceSpec{
			Ports: ports, ClusterIP: serviceAddress(c), IPFamilyPolicy: ptr.To(corev1.IPFamilyPolicySingleStack),
			SessionAffinity: corev1.ServiceAffinityNone, Type: corev1.ServiceTypeClusterIP,
		},
	}, func(stored *corev1.Service) bool {
		if equality.Semantic.DeepEqual(stored.Spec.Ports, ports) && stored.Spec.Type == corev1.ServiceTypeClusterIP && len(stored.Spec.Selector) == 0 {
			return false
		}
		stored.Spec.Ports, stored.Spec.Type, stored.Spec.Selector = ports, corev1.ServiceTypeClusterIP, nil
		return true
	})
	if err != nil && !apierrors.IsInvalid(err) {
		return err
	}
	if obstacle := inTheWayOfService(ctx, c); obstacle != nil {
		return obstacle
	}
	return err
}

// inTheWayOfService is a Service that has the address, or the name with another address; nil if there is none.
func inTheWayOfService(ctx context.Context, c Config) error {
	all, err := c.Client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return fmt.Errorf("listing Services: %w", err)
	}
	for i := range all.Items {
		s := &all.Items[i]
		own, has := s.Namespace == metav1.NamespaceDefault && s.Name == serviceName, s.Spec.ClusterIP == serviceAddress(c)
		if own == has {
			continue
		}
		return &inTheWay{
			what: corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: s.Namespace, Name: s.Name, UID: s.UID},
			message: fmt.Sprintf("Service %s/%s has cluster IP %s; Service default/kubernetes, by which Pods reach the API server, must have %s. Delete the former",
				s.Namespace, s.Name, s.Spec.ClusterIP, serviceAddress(c)),
		}
	}
	return nil
}

// lead makes the Service lead to the addresses.
func lead(ctx context.Context, c Config, addresses []netip.Addr) error {
	subset := corev1.EndpointSubset{Ports: []corev1.EndpointPort{{Name: portName, Port: int32(c.Port), Protocol: corev1.ProtocolTCP}}}
	for _, a := range addresses {
		subset.Addresses = append(subset.Addresses, corev1.EndpointAddress{IP: a.String()})
	}
	subsets := []corev1.EndpointSubset{subset}
	// The controller that mirrors Endpoints to EndpointSlices is told to leave these alone.
	err := keep(ctx, c.Client.CoreV1().Endpoints(metav1.NamespaceDefault), &corev1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{
			Name: serviceName, Namespace: metav1.NamespaceDefault, Labels: map[string]string{discoveryv1.LabelSkipMirror: "true"},
		},
		Subsets: subsets,
	}, func(stored *corev1.Endpoints) bool {
		changed := !equality.Semantic.DeepEqual(stored.Subsets, subsets)
		stored.Subsets = subsets
		return changed
	})
	if err != nil {
		return fmt.Errorf("publishing the address of the API server: %w", err)
	}
	return leadSlice(ctx, c, addresses)
}

func leadSlice(ctx context.Context, c Config, addresses []netip.Addr) error {
	family := discoveryv1.AddressTypeIPv4
	if c.Address.Is6() {
		family = discoveryv1.AddressTypeIPv6
	}
	wanted := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: serviceName, Namespace: metav1.NamespaceDefault, Labels: map[string]string{discoveryv1.LabelServiceName: serviceName},
		},
		AddressType: family,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To(portName), Port: ptr.To(int32(c.Port)), Protocol: ptr.To(corev1.ProtocolTCP)}},
	}
	for _, a := range addresses {
		ready := discoveryv1.EndpointConditions{Ready: ptr.To(true)}
		wanted.Endpoints = append(wanted.Endpoints, discoveryv1.Endpoint{Addresses: []string{a.String()}, Conditions: ready})
	}
	return keep(ctx, c.Client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault), wanted, func(stored *discoveryv1.EndpointSlice) bool {
		changed := !equality.Semantic.DeepEqual(stored.Endpoints, wanted.Endpoints) || !equality.Semantic.DeepEqual(stored.Ports, wanted.Ports)
		stored.Endpoints, stored.Ports = wanted.Endpoints, wanted.Ports
		return changed
	})
}
