package bootstrap

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	serviceName = "kubernetes"
	servicePort = 443
	portName    = "https"
)

// ensureService makes the Service under which Pods reach the API server. Its endpoints are Publish's.
func ensureService(ctx context.Context, c Config) error {
	return keep(ctx, c.Client.CoreV1().Services(metav1.NamespaceDefault), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: serviceName, Namespace: metav1.NamespaceDefault,
			Labels: map[string]string{"provider": "kubernetes", "component": "apiserver"},
		},
		Spec: corev1.ServiceSpec{
			Ports: []corev1.ServicePort{{
				Name: portName, Protocol: corev1.ProtocolTCP, Port: servicePort, TargetPort: intstr.FromInt(c.Port),
			}},
			ClusterIP:       c.ServiceCIDR.Addr().Next().String(),
			IPFamilyPolicy:  ptr.To(corev1.IPFamilyPolicySingleStack),
			SessionAffinity: corev1.ServiceAffinityNone,
			Type:            corev1.ServiceTypeClusterIP,
		},
	}, func(stored *corev1.Service) bool {
		if len(stored.Spec.Ports) == 1 && stored.Spec.Ports[0].TargetPort.IntValue() == c.Port {
			return false
		}
		stored.Spec.Ports = []corev1.ServicePort{{
			Name: portName, Protocol: corev1.ProtocolTCP, Port: servicePort, TargetPort: intstr.FromInt(c.Port),
		}}
		return true
	})
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
