package host

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/cmd/cluster"
)

// Status prints what is known of the cluster in dataDir and reports whether it is usable.
func Status(ctx context.Context, dataDir string, out io.Writer) (bool, error) {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return false, err
	}
	o, found, err := savedOptions(dataDir)
	if err != nil {
		return false, err
	}
	if !found {
		fmt.Fprintf(out, "no cluster in %s\n", dataDir)
		return false, nil
	}
	pid, err := runningPID(dataDir)
	if err != nil {
		return false, err
	}
	if pid == 0 {
		fmt.Fprintf(out, "stopped; state in %s\n", dataDir)
		return false, nil
	}
	fmt.Fprintf(out, "server      process %d\nkubeconfig  %s\n", pid, o.Admin())
	config, err := clientcmd.BuildConfigFromFlags("", o.Admin())
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "API         %s\n", config.Host)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := cluster.WaitUsable(ctx, config, o, func(string, ...any) {}); err != nil {
		fmt.Fprintf(out, "not usable: %v\n", err)
		return false, nil
	}
	fmt.Fprintln(out, "usable")
	return true, nil
}
