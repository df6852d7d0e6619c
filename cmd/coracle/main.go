// Command coracle is a whole Kubernetes cluster in one program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/host"
	_ "github.com/coracle-k8s/coracle/cmd/quietqueues" // takes effect by being there
)

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) > 1 && os.Args[1] == "kubectl" {
		return kubectl(os.Args[2:])
	}
	host.RouteLibraryLogs(logr.Discard()) // a server routes them into its log
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintf(os.Stderr, "coracle: %v\n", err)
		}
		return 1
	}
	return 0
}

// errSilent ends a command whose output says already what is wrong.
var errSilent = errors.New("see above")

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "coracle",
		Short:         "All of Kubernetes in one small, fast program",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.CompletionOptions.HiddenDefaultCmd = true
	c.AddCommand(upCommand(), downCommand(), resetCommand(), statusCommand(), serverCommand(), agentCommand(), tokenCommand(), etcdCommand(), imageCommand(), uiCommand(), versionCommand(),
		&cobra.Command{Use: "kubectl", Short: "The kubectl command, for machines without one", DisableFlagParsing: true, Run: func(*cobra.Command, []string) {}})
	return c
}
