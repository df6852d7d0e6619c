package core

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apiserver/pkg/endpoints/request"
)

type slicesOf map[string][]*discoveryv1.EndpointSlice

func (s slicesOf) GetEndpointSlices(namespace, service string) ([]*discoveryv1.EndpointSlice, error) {
	return s[namespace+"/"+service], nil
}

// sliceTo leads to addresses, each that of the Pod it is the key of.
func sliceTo(family discoveryv1.AddressType, ready bool, pods map[string]string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{AddressType: family, Ports: []discoveryv1.EndpointPort{{Name: new("web"), Port: new(int32(8080))}}}
	for ip, name := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: name},
		})
	}
	return s
}

func TestServicesAreProxiedToReadyPodsOfTheirSlices(t *testing.T) {
	pods := map[string][]corev1.PodIP{"a": {{IP: "10.0.0.1"}, {IP: "fd00::1"}}, "b": {{IP: "10.0.0.2"}}}
	const ipv4, ipv6 = discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6
	s := serviceProxy{
		primary: corev1.IPv4Protocol,
		pod: func(_ context.Context, name string) (*pod, error) {
			ips, ok := pods[name]
			if !ok {
				return nil, fmt.Errorf("no pod %s", name)
			}
			return &pod{Status: corev1.PodStatus{PodIPs: ips}}, nil
		},
		slices: slicesOf{
			"default/one":      {sliceTo(ipv4, true, map[string]string{"10.0.0.1": "a"})},
			"default/unready":  {sliceTo(ipv4, false, map[string]string{"10.0.0.2": "b"}), sliceTo(ipv4, true, map[string]string{"10.0.0.1": "a"})},
			"default/foreign":  {sliceTo(ipv4, true, map[string]string{"192.0.2.1": "a", "10.0.0.2": "gone"})},
			"default/families": {sliceTo(ipv6, true, map[string]string{"fd00::1": "a"}), sliceTo(ipv4, true, map[string]string{"10.0.0.2": "b"})},
			"default/six":      {sliceTo(ipv6, true, map[string]string{"fd00::1": "a"})},
			"other/elsewhere":  {sliceTo(ipv4, true, map[string]string{"10.0.0.1": "a"})},
		},
	}
	get := func(context.Context, string) (*service, error) {
		return &service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "web", Port: 80}}}}, nil
	}
	ctx := request.WithNamespace(t.Context(), "default")
	for id, want := range map[string]string{
		"one:web": "//10.0.0.1:8080", "one:80": "//10.0.0.1:8080", "https:one:80": "https://10.0.0.1:8080",
		"unready:web": "//10.0.0.1:8080", "families:web": "//10.0.0.2:8080", "six:web": "//[fd00::1]:8080",
		"one:81":        `no service port 81 found for service "one"`,
		"one:other":     `no endpoints available for service "one"`,
		"foreign:web":   `no endpoints available for service "foreign"`,
		"elsewhere:web": `no endpoints available for service "elsewhere"`,
		"a:b:c:d":       `invalid service request "a:b:c:d"`,
	} {
		location, err := s.locate(ctx, get, id)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = location.String()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}
