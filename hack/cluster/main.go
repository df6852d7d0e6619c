// Command cluster runs a cluster of several nodes on this machine: a server with a node, and agents, each in namespaces of its own.
//
//	go run ./hack/cluster up --agents 1     # again is harmless; --link routed puts the agents behind a router
//	go run ./hack/cluster kubectl get nodes
//	go run ./hack/cluster exec agent1 ip route
//	go run ./hack/cluster exec - curl ...   # beside the machines, where the API and Services' node ports can be reached
//	go run ./hack/cluster partition agent1 | heal agent1 | kill agent1 | stop agent1 | restart agent1
//	go run ./hack/cluster down
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

func main() {
	machines.Init()
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	return 0
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use: "cluster", Short: "Run a cluster of several nodes on this machine", SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	w := new(world)
	c.PersistentFlags().StringVar(&w.name, "name", "dev", "Which cluster: several can run side by side")
	c.PersistentFlags().StringVar(&w.dir, "dir", "", "Where it keeps all of its state and logs (default: /var/tmp/coracle-NAME)")
	c.AddCommand(upCommand(w), downCommand(w), execCommand(w), kubectlCommand(w),
		nodeCommand(w, "partition", "Cut a node off from all others", (*machines.Node).Partition),
		nodeCommand(w, "heal", "Undo partition", (*machines.Node).Heal),
		nodeCommand(w, "kill", "Kill a node's coracle with SIGKILL; its containers live on", (*machines.Node).Kill),
		nodeCommand(w, "stop", "Stop a node's coracle; its containers live on", (*machines.Node).Stop),
		restartCommand(w))
	return c
}
