// Package containerd runs containerd inside this process: the container runtime of a node, served on a unix socket.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/containerd/containerd/v2/cmd/containerd/server"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/go-logr/logr"

	"github.com/coracle-k8s/coracle/generated/runtime"
	"github.com/coracle-k8s/coracle/guard"
)

// namespace is where the container runtime interface keeps images and containers within containerd.
const namespace = "k8s.io"

// Config says what a containerd is to be.
type Config struct {
	// DataDir is the node's data directory, absolute. containerd keeps images and containers in DataDir/containerd.
	DataDir string
	// StateDir holds mounts and sockets; StateDir(DataDir) unless set. Its path must be short: 60 bytes at most.
	StateDir string
	// PauseImage is the image of Pod sandboxes; one built into this program unless set.
	PauseImage string
	// NetworkConfDir is where network configurations (CNI) are, the first by name is used; /etc/cni/net.d unless set.
	NetworkConfDir string
	// NetworkBinDirs are searched for network plugins after our own; /opt/cni/bin unless set.
	NetworkBinDirs []string
	// RegistryDirs hold registry configurations (certs.d); DataDir/certs.d, /etc/containerd/certs.d and
	// /etc/docker/certs.d unless set.
	RegistryDirs []string
	// Log receives containerd's warnings and errors.
	Log logr.Logger
}

func (c Config) withDefaults() Config {
	if c.StateDir == "" {
		c.StateDir = StateDir(c.DataDir)
	}
	if c.NetworkConfDir == "" {
		c.NetworkConfDir = "/etc/cni/net.d"
	}
	if c.NetworkBinDirs == nil {
		c.NetworkBinDirs = []string{"/opt/cni/bin"}
	}
	if c.RegistryDirs == nil {
		c.RegistryDirs = []string{filepath.Join(c.DataDir, "certs.d"), "/etc/containerd/certs.d", "/etc/docker/certs.d"}
	}
	return c
}

// Runtime is a running containerd.
type Runtime struct {
	server   *server.Server
	endpoint string
	failures chan error

	stop    sync.Once
	stopped chan struct{}
}

// Start unpacks the programs that containerd needs, starts it and returns when it serves, with all containers that an
// earlier process left found again. The programs' folder becomes the first of this process's PATH. The context is for the time of starting and values only: use Stop to stop.
func Start(ctx context.Context, c Config) (*Runtime, error) {
	c = c.withDefaults()
	l := newLayout(c)
	if err := prepare(l); err != nil {
		return nil, err
	}
	unpacked, err := unpackAside(l)
	if err != nil {
		return nil, err
	}
	builtIn := c.PauseImage == ""
	if builtIn {
		if c.PauseImage, err = pauseImage(); err != nil {
			return nil, err
		}
		if err = writeSandboxSeccomp(l.sandboxSeccomp); err != nil {
			return nil, err
		}
	}
	h, err := inspect(l)
	if err != nil {
		return nil, err
	}
	r := &Runtime{endpoint: l.socket, failures: make(chan error, 1), stopped: make(chan struct{})}
	if err := r.serve(ctx, c, l, h); err != nil {
		return nil, errors.Join(fmt.Errorf("starting containerd: %w", err), <-unpacked)
	}
	if builtIn {
		if err = r.importPause(ctx, c.PauseImage); err != nil {
			err = fmt.Errorf("importing the built-in image %s: %w", c.PauseImage, err)
		}
	}
	if err := errors.Join(err, <-unpacked); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// unpackAside unpacks the programs and makes them found. On the first start, when there is no container to find again and so
// nothing that needs them, it does so while other things go on; the channel says when it is done.
func unpackAside(l layout) (<-chan error, error) {
	done := make(chan error, 1)
	if _, err := runtime.Programs(); err != nil {
		return nil, err
	}
	if err := search(l.programs); err != nil {
		return nil, err
	}
	if _, err := os.Stat(l.programs); errors.Is(err, fs.ErrNotExist) {
		guard.GoThen("unpacking of programs", func() error { return unpack(l) }, func(err error) { done <- err })
		return done, nil
	}
	done <- nil
	return done, unpack(l)
}

// prepare makes the directories. Other users must not see what is in them.
func prepare(l layout) error {
	if len(l.shimSockets) > 40 {
		return fmt.Errorf("state directory %s: its path is too long for sockets in it", l.state)
	}
	for _, dir := range []string{l.root, l.state, l.shimSockets, l.runtimeState} {
		mode := os.FileMode(0o700)
		if dir == l.state {
			mode = 0o711 // containers of other users have their root file systems in it
		}
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
	}
	return nil
}

// serve starts the server and waits until it answers.
func (r *Runtime) serve(ctx context.Context, c Config, l layout, h host) error {
	ctx = namespaces.WithNamespace(context.WithoutCancel(ctx), namespace)
	ctx = withLogger(ctx, c.Log, r)
	recordExits(ctx, l, func(container string, err error) {
		c.Log.Info("A container's end, if it ended meanwhile, cannot be found out", "container", container, "err", err)
	})
	config := settings(c, l, h)
	if err := server.CreateTopLevelDirectories(config); err != nil {
		return err
	}
	s, err := server.New(ctx, config)
	if err != nil {
		return err
	}
	r.server = s
	if err := s.Start(ctx); err != nil {
		r.Stop()
		return err
	}
	for _, socket := range []string{l.socket, l.socket + ".ttrpc"} {
		if err := os.Chmod(socket, 0o600); err != nil {
			r.Stop()
			return err
		}
	}
	ready := make(chan error, 1)
	guard.GoThen("start of containerd", func() error { s.Wait(); return nil }, func(err error) { ready <- err })
	select {
	case err = <-ready:
	case err = <-r.failures:
	}
	if err != nil {
		r.Stop()
	}
	return err
}

// fail records that containerd cannot go on. After Stop, parts of it say so too; that means nothing.
func (r *Runtime) fail(err error) {
	select {
	case <-r.stopped:
	case r.failures <- err:
	default:
	}
}

func (r *Runtime) isStopped() bool {
	select {
	case <-r.stopped:
		return true
	default:
		return false
	}
}

// Endpoint is the path of the unix socket that serves the container runtime interface and containerd's own.
func (r *Runtime) Endpoint() string { return r.endpoint }

// Wait returns nil once Stop was called, or before that the error for which containerd cannot go on.
func (r *Runtime) Wait() error {
	select {
	case err := <-r.failures:
		return err
	case <-r.stopped:
		return nil
	}
}

// Stop ends containerd and leaves all containers running: the next Start finds them. It may be called several times.
func (r *Runtime) Stop() {
	r.stop.Do(func() {
		close(r.stopped)
		r.server.Stop()
	})
}

// errNoPause says that the pause program is missing among the carried ones.
var errNoPause = errors.New("the programs carried by this coracle have no pause among them: run make again")
