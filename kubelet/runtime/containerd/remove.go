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

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
	criclient "k8s.io/cri-client/pkg"
)

// RemoveAll ends all containers of a data directory, shims too, whether or not a server ran them last, and removes what they
// leave: mounts, network namespaces, sockets, records. Containers get a short time to end by themselves. Images stay. No
// server may run on the data directory meanwhile. It is idempotent, and does what it can when part of it fails.
func RemoveAll(ctx context.Context, c Config) error {
	c = c.withDefaults()
	l := newLayout(c)
	failed := endProcesses(ctx, l)
	failed = errors.Join(failed, unmountBeneath(l.state))
	if hasRecords(l) {
		failed = errors.Join(failed, removeRecords(ctx, c))
	}
	failed = errors.Join(failed, unmountBeneath(l.state), unmountBeneath(l.root))
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

// unmountBeneath unmounts what is mounted beneath a directory, the last mounted first. The directory itself may be a disk
// that its owner mounted there.
func unmountBeneath(dir string) error {
	mounts, err := mountsBeneath(dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, m := range slices.Backward(mounts) {
		err := unix.Unmount(m, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // went with another
			failed = append(failed, fmt.Errorf("unmounting %s: %w", m, err))
		}
	}
	return errors.Join(failed...)
}

// mountsBeneath lists mount points in the order of mounting.
func mountsBeneath(dir string) ([]string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(real))
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	var points []string
	for _, m := range mounts {
		if m.Mountpoint != real {
			points = append(points, m.Mountpoint)
		}
	}
	return points, nil
}

// removeState deletes the state directory, but never through a mount into something else.
func removeState(dir string) error {
	mounts, err := mountsBeneath(dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("removing %s: %s is still mounted", dir, mounts[0])
	}
	if err := os.RemoveAll(dir); err != nil {
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
