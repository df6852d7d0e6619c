package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/tools/remotecommand"
	clientexec "k8s.io/client-go/util/exec"
	streams "k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/streaming"
)

// executor runs what a client's streams are connected with. The command that it is given names neither a container nor arguments.
type executor func(ctx context.Context, c runtime.Command) error

// ExecInContainer runs a command.
func (e executor) ExecInContainer(ctx context.Context, _, _, _ string, _ []string, in io.Reader, out, err io.WriteCloser, tty bool, resize <-chan streams.TerminalSize, _ time.Duration) error {
	return e(ctx, runtime.Command{Stdin: in, Stdout: out, Stderr: err, Terminal: tty, Resize: resize})
}

// asked gives to run only the streams that the client asked for: WebSockets have them all.
func asked(options *streams.Options, run executor) executor {
	return func(ctx context.Context, c runtime.Command) error {
		if !options.Stdin {
			c.Stdin = nil
		}
		if !options.Stdout {
			c.Stdout = nil
		}
		if !options.Stderr || c.Terminal {
			c.Stderr = nil
		}
		return run(ctx, c)
	}
}

// AttachContainer attaches to a container.
func (e executor) AttachContainer(ctx context.Context, _, _, _ string, in io.Reader, out, err io.WriteCloser, tty bool, resize <-chan streams.TerminalSize) error {
	return e.ExecInContainer(ctx, "", "", "", nil, in, out, err, tty, resize, 0)
}

// elsewhere runs by the runtime's own streaming server. It has answered and returns nil where there is none.
func elsewhere(w http.ResponseWriter, address string, err error) executor {
	location, err := parse(address, err)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return nil
	}
	return func(ctx context.Context, c runtime.Command) error {
		options := remotecommand.StreamOptions{Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, Tty: c.Terminal}
		if c.Terminal && c.Resize != nil {
			options.TerminalSizeQueue = sizes(c.Resize)
		}
		err := streaming.Execute(ctx, location, nil, options)
		if exit := (clientexec.CodeExitError{}); errors.As(err, &exit) {
			return utilexec.CodeExitError{Err: exit.Err, Code: exit.Code}
		}
		return err
	}
}

type sizes <-chan streams.TerminalSize

// Next returns the next size of a terminal, nil when there will be none.
func (s sizes) Next() *remotecommand.TerminalSize {
	size, more := <-s
	if !more {
		return nil
	}
	return &remotecommand.TerminalSize{Width: size.Width, Height: size.Height}
}
