package agent

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	dialTimeout = 10 * time.Second
	// A connection that has been silent for so long is asked whether it is alive, and is given up after the second time: a
	// server that vanished without a word is noticed before its node counts as lost.
	silence    = 10 * time.Second
	noAnswer   = 10 * time.Second
	unusedLife = 90 * time.Second
)

// connection is the way to the API server. All clients of the agent share it.
type connection struct {
	server  string
	roots   *x509.CertPool
	now     atomic.Pointer[http.Transport]
	current func() *tls.Certificate
}

// newConnection shows the certificate that current returns, if any, when it connects.
func newConnection(server string, ca *x509.Certificate, current func() *tls.Certificate) *connection {
	c := &connection{server: server, roots: x509.NewCertPool(), current: current}
	c.roots.AddCert(ca)
	c.renew()
	return c
}

// renew makes all requests that begin from now on connect anew, with the certificate that there is then. What is under way,
// watches above all, ends in peace on the connections that it has.
func (c *connection) renew() {
	old := c.now.Swap(&http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: dialTimeout, KeepAlive: silence}).DialContext,
		TLSClientConfig: &tls.Config{
			RootCAs: c.roots, MinVersion: tls.VersionTLS12,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if certificate := c.current(); certificate != nil {
					return certificate, nil
				}
				return &tls.Certificate{}, nil
			},
		},
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: noAnswer},
		IdleConnTimeout:     unusedLife,
	})
	if old != nil {
		old.CloseIdleConnections()
	}
}

// close gives up connections that nobody uses.
func (c *connection) close() { c.now.Load().CloseIdleConnections() }

// RoundTrip implements http.RoundTripper.
func (c *connection) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.now.Load().RoundTrip(r)
}

// client talks protobuf. bearer may be empty.
func (c *connection) client(bearer string) (kubernetes.Interface, error) {
	return kubernetes.NewForConfig(&rest.Config{
		Host: c.server, Transport: c, BearerToken: bearer, QPS: -1, DisableCompression: true, WarningHandler: rest.NoWarnings{},
		ContentConfig: rest.ContentConfig{
			ContentType:        "application/vnd.kubernetes.protobuf",
			AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
		},
	})
}
