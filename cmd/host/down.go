package host

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/coracle-k8s/coracle/cmd/node"
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

// Reset is Down and deletes the state, and our entry in the user's kubeconfig. Local volumes stay, unless they are to go, too. Idempotent.
func Reset(ctx context.Context, dataDir string, volumes bool, out io.Writer) error {
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
	if err := resetVolumes(dataDir, last.node(), volumes, out); err != nil {
		return err
	}
	left, err := removeState(dataDir)
	if err != nil {
		return err
	}
	for _, path := range left {
		fmt.Fprintf(out, "left %s, which is not coracle's\n", path)
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
