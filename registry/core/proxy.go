package core

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/proxy"

	"github.com/coracle-k8s/coracle/registry/core/kubelets"
	"github.com/coracle-k8s/coracle/registry/resource"
)

var proxyMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions}

type proxyNodeFunc = func(context.Context, *resource.Resource[*node], string, *corev1.NodeProxyOptions, rest.Responder) (http.Handler, error)

// proxyNode leads to the node's kubelet, or with name:port to any port of the node.
func proxyNode(c Config) proxyNodeFunc {
	return func(ctx context.Context, nodes *resource.Resource[*node], id string, o *corev1.NodeProxyOptions, responder rest.Responder) (http.Handler, error) {
		scheme, name, port, ok := utilnet.SplitSchemeNamePort(id)
		if !ok {
			return nil, errors.NewBadRequest(fmt.Sprintf("invalid node request %q", id))
		}
		n, err := nodes.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		to, err := c.Kubelets.To(n)
		if err != nil {
			return nil, err
		}
		if err := mayProxyTo(ctx, to.Address); err != nil {
			return nil, errors.NewBadRequest(err.Error())
		}
		location, transport := &url.URL{Scheme: "https", Host: to.Host()}, to.Transport
		if port != "" && port != to.Port {
			location, transport = &url.URL{Scheme: scheme, Host: net.JoinHostPort(to.Address, port)}, c.Proxied
		}
		return proxyTo(location, o.Path, transport, responder), nil
	}
}

// mayProxyTo refuses addresses, like those of this machine itself, at which a client could reach what is not for it.
func mayProxyTo(ctx context.Context, host string) error {
	all, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("no addresses for hostname")
	}
	if slices.ContainsFunc(all, func(a net.IPAddr) bool { return !a.IP.IsGlobalUnicast() }) {
		return fmt.Errorf("address not allowed")
	}
	return nil
}

type proxyPodFunc = func(context.Context, *resource.Resource[*pod], string, *corev1.PodProxyOptions, rest.Responder) (http.Handler, error)

// proxyPod leads to a port of the pod: the one in name:port, or the first that the pod declares.
func proxyPod(c Config) proxyPodFunc {
	return func(ctx context.Context, pods *resource.Resource[*pod], id string, o *corev1.PodProxyOptions, responder rest.Responder) (http.Handler, error) {
		scheme, name, port, ok := utilnet.SplitSchemeNamePort(id)
		if !ok {
			return nil, errors.NewBadRequest(fmt.Sprintf("invalid pod request %q", id))
		}
		p, err := pods.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		if port == "" {
			port = firstPort(p)
		}
		ip := net.ParseIP(p.Status.PodIP)
		if ip == nil || !ip.IsGlobalUnicast() {
			return nil, errors.NewBadRequest("address not allowed")
		}
		return proxyTo(&url.URL{Scheme: scheme, Host: hostPort(p.Status.PodIP, port)}, o.Path, c.Proxied, responder), nil
	}
}

func firstPort(p *pod) string {
	for i := range p.Spec.Containers {
		if ports := p.Spec.Containers[i].Ports; len(ports) > 0 {
			return strconv.Itoa(int(ports[0].ContainerPort))
		}
	}
	return ""
}

func hostPort(ip, port string) string {
	if port != "" {
		return net.JoinHostPort(ip, port)
	}
	if net.ParseIP(ip).To4() == nil {
		return "[" + ip + "]"
	}
	return ip
}

// A serviceProxy leads to one of a service's endpoints that is a pod: others could be anything on the network.
type serviceProxy struct {
	pod       func(ctx context.Context, name string) (*pod, error)
	slices    proxy.EndpointSliceGetter // nil: no service has endpoints
	primary   corev1.IPFamily
	transport http.RoundTripper
}

func (s serviceProxy) connect(ctx context.Context, services *resource.Resource[*service], id string, o *corev1.ServiceProxyOptions, responder rest.Responder) (http.Handler, error) {
	location, err := s.locate(ctx, services.Get, id)
	if err != nil {
		return nil, err
	}
	return proxyTo(location, o.Path, s.transport, responder), nil
}

// locate picks a ready endpoint at random, of the cluster's primary IP family if there is one. id is a service's name, perhaps with
// a scheme and the name or number of one of its ports.
func (s serviceProxy) locate(ctx context.Context, get func(ctx context.Context, name string) (*service, error), id string) (*url.URL, error) {
	scheme, name, port, ok := utilnet.SplitSchemeNamePort(id)
	if !ok {
		return nil, errors.NewBadRequest(fmt.Sprintf("invalid service request %q", id))
	}
	if number, err := strconv.ParseInt(port, 10, 64); err == nil {
		svc, err := get(ctx, name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return int64(p.Port) == number })
		if i < 0 {
			return nil, errors.NewServiceUnavailable(fmt.Sprintf("no service port %d found for service %q", number, name))
		}
		port = svc.Spec.Ports[i].Name
	}
	if s.slices == nil {
		return nil, errors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", name))
	}
	all, err := s.slices.GetEndpointSlices(request.NamespaceValue(ctx), name)
	if err != nil {
		return nil, errors.NewInternalError(err)
	}
	host, err := proxy.RandomEndpoint(name, all, port, s.primary, func(e *discoveryv1.Endpoint) bool { return s.isPod(ctx, e) })
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: scheme, Host: host}, nil
}

func (s serviceProxy) isPod(ctx context.Context, e *discoveryv1.Endpoint) bool {
	if e.TargetRef == nil || e.TargetRef.Namespace != request.NamespaceValue(ctx) {
		return false
	}
	p, err := s.pod(ctx, e.TargetRef.Name)
	return err == nil && slices.ContainsFunc(p.Status.PodIPs, func(ip corev1.PodIP) bool { return ip.IP == e.Addresses[0] })
}

func proxyTo(location *url.URL, path string, transport http.RoundTripper, responder rest.Responder) http.Handler {
	location.Path = utilnet.JoinPreservingTrailingSlash(location.Path, path)
	return kubelets.Proxy(location, transport, responder)
}
