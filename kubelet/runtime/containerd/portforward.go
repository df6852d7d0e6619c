package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	goruntime "runtime"
	"strconv"

	"github.com/vishvananda/netns"

	"github.com/coracle-k8s/coracle/guard"
)

// PortForward connects a stream with a port of a Pod's network namespace until both sides have said that nothing more comes. Each may
// do so long before the other.
func (s *Streams) PortForward(ctx context.Context, sandbox string, port int32, stream io.ReadWriteCloser) error {
	pid, err := s.pid(ctx, sandbox)
	if err != nil {
		return err
	}
	conn, err := dialIn(ctx, pid, port)
	if err != nil {
		return fmt.Errorf("connecting with port %d of sandbox %s: %w", port, sandbox, err)
	}
	return join(ctx, conn, stream)
}

func (s *Streams) pid(ctx context.Context, sandbox string) (int, error) {
	container, err := s.client.LoadContainer(ctx, sandbox)
	if err != nil {
		return 0, fmt.Errorf("finding sandbox %s: %w", sandbox, err)
	}
	task, err := container.Task(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("finding the task of sandbox %s: %w", sandbox, err)
	}
	return int(task.Pid()), nil
}

// dialIn connects within the network namespace of a process. A socket belongs to the namespace of the thread that made it, so that all
// is done on one; that is why the addresses are tried here, one after the other, and not by the dialer.
func dialIn(ctx context.Context, pid int, port int32) (*net.TCPConn, error) {
	var connected net.Conn
	done := make(chan error, 1)
	guard.GoThen("connecting with a port of a Pod", func() error {
		// Not unlocked: the thread ends with the goroutine, and nothing else runs in the Pod's namespace.
		goruntime.LockOSThread()
		namespace, err := netns.GetFromPid(pid)
		if err != nil {
			return fmt.Errorf("opening its network namespace: %w", err)
		}
		defer namespace.Close()
		if err := netns.Set(namespace); err != nil {
			return fmt.Errorf("entering its network namespace: %w", err)
		}
		var failed []error
		for _, host := range []string{"127.0.0.1", "::1"} {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
			if err == nil {
				connected = conn
				return nil
			}
			failed = append(failed, err)
		}
		return errors.Join(failed...)
	}, func(err error) { done <- err })
	if err := <-done; err != nil {
		return nil, err
	}
	return connected.(*net.TCPConn), nil
}

// halfDuplex is a connection whose two directions end one by one.
type halfDuplex interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// join copies both ways and returns when both directions have ended, or when ctx has.
func join(ctx context.Context, conn halfDuplex, stream io.ReadWriteCloser) error {
	stop := context.AfterFunc(ctx, func() { guard.Insist("closing a forwarded port", func() { _ = conn.Close() }) })
	defer stop()
	defer conn.Close()
	in := make(chan struct{})
	guard.GoThen("forwarding to a port of a Pod", func() error {
		_, err := io.Copy(conn, stream)
		return err
	}, func(err error) {
		defer close(in)
		if err == nil {
			_ = conn.CloseWrite() // it may be closed already
		}
	})
	_, out := io.Copy(stream, conn)
	// The other side learns that nothing more comes. If it is gone, the other direction has ended too.
	_ = stream.Close()
	if out != nil {
		return fmt.Errorf("forwarding from the port: %w", out)
	}
	// Who closes without having read all wants no more: that is no failure of the connection, on which others may depend.
	<-in
	return nil
}
