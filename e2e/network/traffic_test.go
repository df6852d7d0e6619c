package network_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// serve answers at TCP port 80 in a namespace with the client's address, at 81 with the hash of all that was sent, and at UDP port 80
// with the size of each datagram.
func serve(t *testing.T, ns netns.NsHandle) {
	t.Helper()
	in(t, ns, func() {
		accept(t, ":80", func(c net.Conn) {
			client := netip.MustParseAddrPort(c.RemoteAddr().String())
			io.WriteString(c, client.Addr().Unmap().String())
		})
		accept(t, ":81", func(c net.Conn) {
			sum := sha256.New()
			io.Copy(sum, c)
			c.Write(sum.Sum(nil))
		})
		conn, err := net.ListenPacket("udp", ":80")
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		go func() {
			buffer := make([]byte, 1<<16)
			for {
				n, from, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				conn.WriteTo([]byte(fmt.Sprint(n)), from)
			}
		}()
	})
}

func accept(t *testing.T, at string, answer func(net.Conn)) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(2 * time.Minute))
				answer(conn)
			}()
		}
	}()
}

// ask connects from a namespace and returns what the other side takes for the client's address.
func ask(t *testing.T, ns netns.NsHandle, to string) (answer string, err error) {
	t.Helper()
	in(t, ns, func() {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", to, 2*time.Second); err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(2 * time.Second))
		var text []byte
		text, err = io.ReadAll(conn)
		answer = string(text)
	})
	return answer, err
}

// reaches fails the test unless a connection arrives, from the address that is wanted.
func reaches(t *testing.T, ns netns.NsHandle, to, as string) {
	t.Helper()
	if got, err := ask(t, ns, to); err != nil || got != as {
		t.Errorf("to %s: arrived from %q, want %q: %v", to, got, as, err)
	}
}

// send transfers bytes and returns how long it took for all to be there.
func send(t *testing.T, ns netns.NsHandle, to string, size int) time.Duration {
	t.Helper()
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	want := sha256.Sum256(content)
	began := time.Now()
	in(t, ns, func() {
		conn, err := net.DialTimeout("tcp", to, 2*time.Second)
		must(t, err)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(2 * time.Minute))
		_, err = conn.Write(content)
		must(t, err)
		must(t, conn.(*net.TCPConn).CloseWrite())
		got, err := io.ReadAll(conn)
		must(t, err)
		if !bytes.Equal(got, want[:]) {
			t.Errorf("to %s: something else arrived", to)
		}
	})
	return time.Since(began)
}

// datagram sends one and returns what the other side says of its size, or the error.
func datagram(t *testing.T, ns netns.NsHandle, to string, size int) (answer string) {
	t.Helper()
	in(t, ns, func() {
		conn, err := net.Dial("udp", to)
		must(t, err)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(make([]byte, size)); err != nil {
			answer = err.Error()
			return
		}
		buffer := make([]byte, 64)
		n, err := conn.Read(buffer)
		if answer = string(buffer[:n]); err != nil {
			answer = err.Error()
		}
	})
	return answer
}
