// Package kubelets connects clients of the API server to kubelets, and to what runs on nodes.
package kubelets

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// DefaultPort is where a kubelet serves if its Node does not say.
const DefaultPort = 10250

// addressTypes are the addresses of a Node in the order in which they are tried: the InternalIP works without DNS.
var addressTypes = []corev1.NodeAddressType{
	corev1.NodeInternalIP, corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS, corev1.NodeExternalIP,
}

// Transport reaches the kubelets of a cluster.
type Transport struct {
	secure, insecure http.RoundTripper
	port             int32
}

// New returns a transport that shows the client certificate of config and trusts its authorities. Port is DefaultPort if 0.
func New(config *tls.Config, port int32) *Transport {
	blind := config.Clone()
	blind.InsecureSkipVerify, blind.RootCAs = true, nil
	if port == 0 {
		port = DefaultPort
	}
	return &Transport{secure: transport(config), insecure: transport(blind), port: port}
}

// Direct is a transport for what clients ask to be proxied: certificates of pods and services are not verified, they
// prove nothing that the cluster knows of. No proxy from the environment is used.
func Direct() http.RoundTripper {
	return transport(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // see above
}

func transport(config *tls.Config) *http.Transport {
	dialer := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 25,
		IdleConnTimeout:     90 * time.Second,
	}
}

// Connection is how to reach one kubelet over HTTPS.
type Connection struct {
	// Address is an IP or a host name, Port the kubelet's.
	Address, Port string
	Transport     http.RoundTripper
	// Unverified accepts any certificate; for clients that ask for that.
	Unverified http.RoundTripper
}

// Host is address and port as URLs have them.
func (c *Connection) Host() string { return net.JoinHostPort(c.Address, c.Port) }

var errNoAddress = errors.New("no preferred addresses found; known addresses: []")

// To says how to reach the node's kubelet. A nil transport reaches none.
func (t *Transport) To(node *corev1.Node) (*Connection, error) {
	if t == nil {
		return nil, fmt.Errorf("reaching the kubelet of node %s: this server has no credentials for kubelets", node.Name)
	}
	address := core.NodeAddress(node, addressTypes...)
	if address == "" {
		return nil, errNoAddress
	}
	port := node.Status.DaemonEndpoints.KubeletEndpoint.Port
	if port <= 0 {
		port = t.port
	}
	return &Connection{Address: address, Port: strconv.Itoa(int(port)), Transport: t.secure, Unverified: t.insecure}, nil
}
