package host

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/cmd/agent"
	"github.com/coracle-k8s/coracle/cmd/cluster"
)

// Status prints what is known of the cluster in dataDir and reports whether it is usable.
func Status(ctx context.Context, dataDir string, out io.Writer) (bool, error) {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return false, err
	}
	last, err := readSaved(dataDir)
	if err != nil {
		return false, err
	}
	if last.empty() {
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
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if last.agent != nil {
		return agentStatus(ctx, *last.agent, pid, out)
	}
	return serverStatus(ctx, *last.server, pid, out)
}

func serverStatus(ctx context.Context, o cluster.Options, pid int, out io.Writer) (bool, error) {
	fmt.Fprintf(out, "server      process %d\nkubeconfig  %s\n", pid, o.Admin())
	config, err := clientcmd.BuildConfigFromFlags("", o.Admin())
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "API         %s\n", config.Host)
	if on := o.On(); len(on) > 0 {
		fmt.Fprintf(out, "on          %s\n", strings.Join(on, ", "))
	}
	if !o.ControlPlaneOnly {
		n := o.Node()
		fmt.Fprintf(out, "volumes     %s\n", n.StorageDir())
	}
	if len(o.EtcdServers) == 0 {
		etcd := &Etcd{o.DataDir}
		if s, err := etcd.usage(ctx); err == nil && s.Problem != "" {
			fmt.Fprintf(out, "etcd        %s\n", s.Problem)
		}
	}
	if err := cluster.WaitUsable(ctx, config, o, func(string, ...any) {}); err != nil {
		fmt.Fprintf(out, "not usable: %v\n", err)
		return false, nil
	}
	fmt.Fprintln(out, "usable")
	return true, nil
}

func agentStatus(ctx context.Context, o agent.Options, pid int, out io.Writer) (bool, error) {
	fmt.Fprintf(out, "agent       process %d\nAPI         %s\nnode        %s, %s\nvolumes     %s\n", pid, o.Server, o.Name, o.IP, o.StorageDir())
	if err := agent.CheckReady(ctx, o); err != nil {
		fmt.Fprintf(out, "not usable: %v\n", err)
		return false, nil
	}
	fmt.Fprintln(out, "usable")
	return true, nil
}
