package bootstrap

import (
	"context"
	"fmt"

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

// Publish makes the Service lead to this server. Call it when the server is ready. It tries until it succeeds or ctx ends.
func (b *Bootstrap) Publish(ctx context.Context) error {
	return retry(ctx, "publishing the address of the API server", func(ctx context.Context) error { return publish(ctx, b.config) })
}

func publish(ctx context.Context, c Config) error {
	subsets := []corev1.EndpointSubset{{
		Addresses: []corev1.EndpointAddress{{IP: c.Address.String()}},
		Ports:     []corev1.EndpointPort{{Name: portName, Port: int32(c.Port), Protocol: corev1.ProtocolTCP}},
	}}
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
	return publishSlice(ctx, c)
}

func publishSlice(ctx context.Context, c Config) error {
	family := discoveryv1.AddressTypeIPv4
	if c.Address.Is6() {
		family = discoveryv1.AddressTypeIPv6
	}
	wanted := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: serviceName, Namespace: metav1.NamespaceDefault, Labels: map[string]string{discoveryv1.LabelServiceName: serviceName},
		},
		AddressType: family,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{c.Address.String()}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}}},
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To(portName), Port: ptr.To(int32(c.Port)), Protocol: ptr.To(corev1.ProtocolTCP)}},
	}
	return keep(ctx, c.Client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault), wanted, func(stored *discoveryv1.EndpointSlice) bool {
		changed := !equality.Semantic.DeepEqual(stored.Endpoints, wanted.Endpoints) || !equality.Semantic.DeepEqual(stored.Ports, wanted.Ports)
		stored.Endpoints, stored.Ports = wanted.Endpoints, wanted.Ports
		return changed
	})
}
