package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/kubelet/removal"
)

// Down stops the server on dataDir and all that it runs: no process, mount, network namespace, cgroup or packet rule of it is left.
// Its state stays. Idempotent.
func Down(ctx context.Context, dataDir string, out io.Writer) error {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return err
	}
	last, err := readSaved(dataDir)
	if err != nil {
		return err
	}
	o := last.node()
	if o != nil && os.Geteuid() != 0 {
		return fmt.Errorf("the %s in %s has a node: stopping it needs root", last.what(), dataDir)
	}
	if err := stopServer(ctx, dataDir, last.what(), out); err != nil {
		return err
	}
	if last.empty() {
		fmt.Fprintf(out, "no cluster has run in %s\n", dataDir)
	}
	if o == nil {
		return nil
	}
	held, err := lock(dataDir) // nobody starts a server meanwhile
	if err != nil {
		return err
	}
	defer held.Close()
	if err := node.Remove(ctx, *o, func(what string) { fmt.Fprintln(out, "removed", what) }); err != nil {
		return fmt.Errorf("removing what the node ran: %w", err)
	}
	return nil
}

func stopServer(ctx context.Context, dataDir, what string, out io.Writer) error {
	if systemdRuns() {
		if err := unitOf(dataDir).remove(ctx); err != nil {
			return err
		}
	}
	pid, err := runningPID(dataDir)
	if err != nil || pid == 0 {
		return err
	}
	if err := terminate(ctx, pid, 30*time.Second); err != nil {
		return fmt.Errorf("stopping the %s: %w", what, err)
	}
	fmt.Fprintf(out, "stopped the %s (process %d)\n", what, pid)
	return nil
}

// Reset is Down and deletes the state, and our entry in the user's kubeconfig. Idempotent.
func Reset(ctx context.Context, dataDir string, out io.Writer) error {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return err
	}
	last, err := readSaved(dataDir)
	if err != nil {
		return err
	}
	if err := Down(ctx, dataDir, out); err != nil {
		return err
	}
	if last.node() != nil {
		if err := node.RemoveData(dataDir); err != nil {
			return fmt.Errorf("deleting volumes and logs: %w", err)
		}
	}
	if err := removeState(dataDir); err != nil {
		return err
	}
	file, err := usersKubeconfig()
	if err != nil {
		return err
	}
	if err := removeContext(file, dataDir); err != nil {
		return err
	}
	fmt.Fprintf(out, "deleted the state in %s\n", dataDir)
	return nil
}

// removeState deletes the data directory, and nothing that isn't one. A symbolic link to it, or the disk that it is, stays, empty.
func removeState(dataDir string) error {
	entries, err := os.ReadDir(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dataDir, pidFile)); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is no data directory of a cluster (it has no %s): nothing deleted", dataDir, pidFile)
	}
	if err := removal.Contents(dataDir); err != nil {
		return err
	}
	if err := unix.Rmdir(dataDir); err != nil && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("removing %s: %w", dataDir, err)
	}
	return nil
}
