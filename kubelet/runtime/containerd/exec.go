package containerd

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/google/uuid"
	"github.com/opencontainers/runtime-spec/specs-go"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/klog/v2"
	utilexec "k8s.io/utils/exec"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// Streams runs commands in containers and reaches Pods' ports by containerd's own interface. That of the container runtime interface
// closes a command's input with its output, and so cuts off what a command that writes nothing still reads.
type Streams struct {
	client *client.Client
	// pipes is where commands' input and output go through.
	pipes string
}

// OpenStreams returns the streams of the containerd of a configuration. It need not run yet.
func OpenStreams(c Config) (*Streams, error) {
	l := newLayout(c.withDefaults())
	// What an earlier process left is of commands that nobody listens to.
	if err := os.RemoveAll(l.pipes); err != nil {
		return nil, fmt.Errorf("removing pipes that are left: %w", err)
	}
	cc, err := client.New(l.socket, client.WithDefaultNamespace(namespace))
	if err != nil {
		return nil, fmt.Errorf("preparing a connection with containerd: %w", err)
	}
	return &Streams{cc, l.pipes}, nil
}

// Close ends the connection with containerd.
func (s *Streams) Close() error { return s.client.Close() }

// Exec runs a command and returns when it has ended and all that it wrote is passed on. Another exit code than 0 is a
// utilexec.CodeExitError. The command is killed when ctx ends.
func (s *Streams) Exec(ctx context.Context, c runtime.Command) error {
	task, spec, err := s.process(ctx, c)
	if err != nil {
		return err
	}
	started := make(chan client.Process, 1)
	process, err := task.Exec(ctx, uuid.NewString(), spec, s.streamsOf(ctx, c, started))
	if err != nil {
		return fmt.Errorf("preparing a command: %w", err)
	}
	defer s.remove(ctx, process)
	exit, err := process.Wait(ctx)
	if err != nil {
		return fmt.Errorf("waiting for a command: %w", err)
	}
	if err := process.Start(ctx); err != nil {
		return fmt.Errorf("starting a command: %w", err)
	}
	started <- process
	guard.Go("resizing a terminal", func() { resize(ctx, process, c.Resize) })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case status := <-exit:
		code, _, err := status.Result()
		if err != nil {
			return fmt.Errorf("waiting for a command: %w", err)
		}
		process.IO().Wait()
		if code != 0 {
			return &utilexec.CodeExitError{Err: fmt.Errorf("error executing command %v, exit code %d", c.Args, code), Code: int(code)}
		}
		return nil
	}
}

// process returns a container's task and what a command in it is to be like: as the container's own, but for what c says.
func (s *Streams) process(ctx context.Context, c runtime.Command) (client.Task, *specs.Process, error) {
	container, err := s.client.LoadContainer(ctx, c.Container)
	if err != nil {
		return nil, nil, fmt.Errorf("finding container %s: %w", c.Container, err)
	}
	task, err := container.Task(ctx, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("finding the task of container %s: %w", c.Container, err)
	}
	spec, err := container.Spec(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading what container %s is: %w", c.Container, err)
	}
	if c.Terminal {
		if err := oci.WithEnv([]string{"TERM=xterm"})(ctx, nil, nil, spec); err != nil {
			return nil, nil, fmt.Errorf("naming the terminal: %w", err)
		}
	}
	process := spec.Process
	process.Terminal, process.Args, process.CommandLine = c.Terminal, c.Args, ""
	return task, process, nil
}

// streamsOf copies between pipes and what a command reads and writes.
func (s *Streams) streamsOf(ctx context.Context, c runtime.Command, started <-chan client.Process) cio.Creator {
	options := []cio.Opt{cio.WithFIFODir(s.pipes)}
	stdout, stderr := c.Stdout, c.Stderr
	if stdout == nil {
		stdout = io.Discard
	}
	switch {
	case c.Terminal:
		options = append(options, cio.WithTerminal)
		stderr = nil
	case stderr == nil:
		stderr = io.Discard
	}
	var stdin io.Reader
	if c.Stdin != nil {
		stdin = &input{Reader: c.Stdin, ended: func() {
			if !c.Terminal { // a terminal has no end: closing it would end the command
				closeInput(ctx, started)
			}
		}}
	}
	return cio.NewCreator(append(options, cio.WithStreams(stdin, stdout, stderr))...)
}

// input tells when all is read.
type input struct {
	io.Reader
	ended func()
}

// Read calls ended at the end.
func (i *input) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	if err != nil && i.ended != nil {
		i.ended()
		i.ended = nil
	}
	return n, err
}

// closeInput closes the end of a command's input that the shim holds, once the command has started; what is in the pipe stays there.
func closeInput(ctx context.Context, started <-chan client.Process) {
	select {
	case <-ctx.Done():
	case process := <-started:
		if err := process.CloseIO(ctx, client.WithStdinCloser); err != nil && !errdefs.IsNotFound(err) && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Closing a command's input")
		}
	}
}

func resize(ctx context.Context, process client.Process, sizes <-chan remotecommand.TerminalSize) {
	for {
		select {
		case <-ctx.Done():
			return
		case size, more := <-sizes:
			if !more {
				return
			}
			if size.Width < 1 || size.Height < 1 {
				continue
			}
			if err := process.Resize(ctx, uint32(size.Width), uint32(size.Height)); err != nil && !errdefs.IsNotFound(err) && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "Resizing a command's terminal")
			}
		}
	}
}

// removeTimeout bounds the end of a command.
const removeTimeout = 10 * time.Second

// remove ends a command if it still runs, and forgets it.
func (s *Streams) remove(ctx context.Context, process client.Process) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if _, err := process.Delete(ctx, client.WithProcessKill); err != nil && !errdefs.IsNotFound(err) {
		klog.FromContext(ctx).Error(err, "Removing a command that has ended")
	}
}
