package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	criclient "k8s.io/cri-client/pkg"

	"github.com/coracle-k8s/coracle/kubelet/removal"
)

// RemoveAll ends all containers of a data directory, shims too, whether or not a server ran them last, and removes what they
// leave: mounts, network namespaces, sockets, records. Containers get a short time to end by themselves. Images stay. No
// server may run on the data directory meanwhile. It is idempotent, and does what it can when part of it fails.
func RemoveAll(ctx context.Context, c Config) error {
	c = c.withDefaults()
	l := newLayout(c)
	failed := endProcesses(ctx, l)
	failed = errors.Join(failed, removal.Unmount(l.state))
	if hasRecords(l) {
		failed = errors.Join(failed, removeRecords(ctx, c))
	}
	failed = errors.Join(failed, removal.Unmount(l.state), removal.Unmount(l.root))
	if failed != nil {
		return failed
	}
	return removeState(l.state)
}

// hasRecords says whether containerd knows Pods.
func hasRecords(l layout) bool {
	for _, kind := range []string{"sandboxes", "containers"} {
		entries, err := os.ReadDir(filepath.Join(l.root, "io.containerd.grpc.v1.cri", kind))
		if err == nil && len(entries) > 0 {
			return true
		}
	}
	return false
}

// removeRecords has containerd itself forget all Pods, which are ended already.
func removeRecords(ctx context.Context, c Config) error {
	r, err := Start(ctx, c)
	if err != nil {
		return err
	}
	defer r.Stop()
	service, err := criclient.NewRemoteRuntimeService(ctx, "unix://"+r.Endpoint(), 30*time.Second, nil, false)
	if err != nil {
		return err
	}
	defer service.Close(ctx)
	sandboxes, err := service.ListPodSandbox(ctx, nil)
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range sandboxes {
		if err := errors.Join(service.StopPodSandbox(ctx, s.Id), service.RemovePodSandbox(ctx, s.Id)); err != nil {
			failed = append(failed, fmt.Errorf("removing sandbox %s: %w", s.Id, err))
		}
	}
	return errors.Join(failed...)
}

// removeState deletes the state directory, but never through a mount into something else.
func removeState(dir string) error {
	if err := removal.Tree(dir); err != nil {
		return err
	}
	if filepath.Dir(dir) == filepath.Dir(StateDir("/")) { // the folder of all of them goes with the last
		if err := os.Remove(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}

// isShim says whether a command line is that of a shim that reports to the containerd of a socket.
func isShim(cmdline, socket string) bool {
	args := strings.Split(strings.TrimSuffix(cmdline, "\x00"), "\x00")
	if filepath.Base(args[0]) != "containerd-shim-runc-v2" {
		return false
	}
	i := slices.Index(args, "-address")
	return i >= 0 && i+1 < len(args) && args[i+1] == socket
}
