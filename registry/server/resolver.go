package server

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/util/webhook"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

// resolver finds the addresses of Services that answer for the server: webhooks and aggregated API servers. The server's own
// Service leads to itself.
func (s *Server) resolver() webhook.ServiceResolver {
	return &resolver{
		self:     net.JoinHostPort(s.config.AdvertiseAddress.String(), strconv.Itoa(s.config.port())),
		services: s.informers.Core().V1().Services().Lister(),
		slices:   s.informers.Discovery().V1().EndpointSlices().Lister(),
	}
}

type resolver struct {
	self     string
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// ResolveEndpoint picks a ready endpoint of the Service's port.
func (r *resolver) ResolveEndpoint(namespace, name string, port int32) (*url.URL, error) {
	if namespace == corev1.NamespaceDefault && name == "kubernetes" && port == 443 {
		return &url.URL{Scheme: "https", Host: r.self}, nil
	}
	service, err := r.services.Services(namespace).Get(name)
	if err != nil {
		return nil, err
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return &url.URL{Scheme: "https", Host: net.JoinHostPort(service.Spec.ExternalName, strconv.Itoa(int(port)))}, nil
	}
	portName, ok := portName(service, port)
	if !ok {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("service %s/%s has no port %d", namespace, name, port))
	}
	slices, err := r.slices.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: name}))
	if err != nil {
		return nil, err
	}
	ready := readyAddresses(slices, portName)
	if len(ready) == 0 {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", name))
	}
	return &url.URL{Scheme: "https", Host: ready[rand.IntN(len(ready))]}, nil
}

func portName(service *corev1.Service, port int32) (string, bool) {
	for _, p := range service.Spec.Ports {
		if p.Port == port {
			return p.Name, true
		}
	}
	return "", false
}

// readyAddresses are host and port of the endpoints that take traffic for the port.
func readyAddresses(slices []*discoveryv1.EndpointSlice, portName string) (ready []string) {
	for _, slice := range slices {
		for _, p := range slice.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != portName || p.Name == nil && portName != "" {
				continue
			}
			for _, e := range slice.Endpoints {
				if len(e.Addresses) > 0 && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
					ready = append(ready, net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))))
				}
			}
		}
	}
	return ready
}
