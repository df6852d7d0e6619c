package streaming_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"k8s.io/client-go/util/cert"

	"github.com/coracle-k8s/coracle/streaming"
)

// pair is both ends of a connection.
func pair(t *testing.T, secure bool) (server, client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if !secure {
		return server, client
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Server(server, &tls.Config{Certificates: []tls.Certificate{identity}}), tls.Client(client, &tls.Config{InsecureSkipVerify: true})
}

// What was written before Close arrives, though the client sends something that nobody waits for, and reads the rest afterwards.
func TestWhatWasWrittenArrivesAfterClose(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			server, client := pair(t, secure)
			server = streaming.Linger(server)
			sent, closed := bytes.Repeat([]byte("0123456789abcdef"), 1<<20), make(chan error, 1)
			go func() {
				_, err := server.Write(sent)
				closed <- errors.Join(err, server.Close())
			}()
			var got bytes.Buffer
			for waiting := true; waiting; {
				if _, err := io.CopyN(&got, client, 64<<10); err != nil {
					t.Fatal(err)
				}
				select {
				case err := <-closed:
					if err != nil {
						t.Fatal(err)
					}
					waiting = false
				default:
				}
			}
			for range 3 {
				if _, err := io.WriteString(client, "are you still there?"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.Copy(&got, client); err != nil {
				t.Errorf("after %d of %d bytes: %v", got.Len(), len(sent), err)
			}
			if !bytes.Equal(got.Bytes(), sent) {
				t.Errorf("%d of %d bytes arrived", got.Len(), len(sent))
			}
			if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("reading after Close: %v", err)
			}
		})
	}
}
