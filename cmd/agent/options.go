package agent

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/node"
)

// Options say what an agent is.
type Options struct {
	node.Options
	// Server is the URL of the API: https://HOST:PORT.
	Server string
	// Token lets a machine join that has not joined yet; see bootstrap.Token. It is not kept.
	Token string `json:"-"`
	// TokenFile has the token instead; - is the standard input, which is read only if there is need of a token.
	TokenFile string `json:"-"`
	// CertificateLife is how long the node's certificates are to be valid; zero leaves it to the server.
	CertificateLife time.Duration
}

// Complete fills in what is not set, from the data directory of a machine that has joined before, and checks the whole. The
// error is one line that names the flag.
func (o *Options) Complete() error {
	if err := o.Options.Complete(); err != nil {
		return err
	}
	if o.Server == "" {
		return fmt.Errorf("--server: give the URL of the API, https://HOST:6443")
	}
	u, err := url.Parse(o.Server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return fmt.Errorf("--server: %q is not a URL like https://10.0.0.1:6443", o.Server)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "6443")
	}
	o.Server = "https://" + u.Host
	if o.Token != "" && o.TokenFile != "" {
		return fmt.Errorf("--token and --token-file exclude each other")
	}
	if o.Token != "" {
		if _, err := bootstrap.ParseToken(o.Token); err != nil {
			return fmt.Errorf("--token: %w", err)
		}
	}
	if o.CertificateLife != 0 && o.CertificateLife < 10*time.Minute {
		return fmt.Errorf("--certificate-life: %s is less than 10m", o.CertificateLife)
	}
	return o.completeAddress()
}

// completeAddress finds the address that this machine has for the server.
func (o *Options) completeAddress() (err error) {
	if o.IP != "" {
		return nil
	}
	host, _, err := net.SplitHostPort(o.address())
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	server, err := netip.ParseAddr(host)
	if err != nil { // a name, which may not be resolvable now
		server = netip.AddrFrom4([4]byte{192, 0, 2, 1}) // the default route leads there
	}
	if o.IP, err = node.AddressToward(server.String()); err != nil {
		return fmt.Errorf("--node-ip: this machine's address cannot be told (%w); give it", err)
	}
	return nil
}

// address is the server's host and port.
func (o *Options) address() string { return o.Server[len("https://"):] }

// dir holds the node's keys and certificates.
func (o *Options) dir() string { return filepath.Join(o.DataDir, "pki") }

// life is the certificates' as the API takes it.
func (o *Options) life() *time.Duration {
	if o.CertificateLife == 0 {
		return nil
	}
	return &o.CertificateLife
}
