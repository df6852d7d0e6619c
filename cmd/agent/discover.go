package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// patience is how long a machine that wants to join waits for a server that does not answer: it may be just starting.
const patience = 15 * time.Second

// errUnreachable is wrapped where no server answers.
var errUnreachable = errors.New("no server answers")

// discover finds the cluster's CA certificate by its hash in the chain that the server shows, and checks that the server's
// certificate is signed by it and for the name that it was called by. Nothing is sent to a server that does not prove itself so.
func discover(ctx context.Context, address, hash string) (*x509.Certificate, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var ca *x509.Certificate
		dialer := tls.Dialer{Config: &tls.Config{
			ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
			InsecureSkipVerify: true, // VerifyConnection verifies
			VerifyConnection: func(state tls.ConnectionState) (err error) {
				ca, err = verify(state.PeerCertificates, host, hash)
				return err
			},
		}}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return ca, nil
		}
		if errors.As(err, new(mistrust)) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w at %s: %w; check --server, and that the server runs and its port is open", errUnreachable, address, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// mistrust is a server that is not the one that was meant.
type mistrust struct{ error }

func verify(chain []*x509.Certificate, host, hash string) (*x509.Certificate, error) {
	for _, c := range chain {
		if !c.IsCA || bootstrap.CAHash(c) != hash {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(c)
		between := x509.NewCertPool()
		for _, other := range chain[1:] {
			between.AddCert(other)
		}
		options := x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host}
		if _, err := chain[0].Verify(options); errors.As(err, new(x509.HostnameError)) {
			return nil, mistrust{fmt.Errorf("the server's certificate is not for %s: start the server with --tls-san %s, or call it by another name", host, host)}
		} else if err != nil {
			return nil, mistrust{fmt.Errorf("the server's certificate cannot be verified: %w", err)}
		}
		return c, nil
	}
	return nil, mistrust{errors.New("the server is not of the cluster that the token is for: use the server's URL and a token of the same cluster (coracle token create)")}
}
