package main

import (
	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/host"
)

func serverCommand() *cobra.Command {
	var o cluster.Options
	var logFile string
	var verbosity int
	c := &cobra.Command{
		Use: "server", Short: "Run the cluster in the foreground", Args: cobra.NoArgs,
		Long: "Run the cluster in the foreground: API server, controllers, scheduler and, unless --no-node, a node.\nContainers live on when it ends; it finds them when it starts again.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.Complete(); err != nil {
				return err
			}
			return host.Serve(c.Context(), o, host.Log{File: logFile, Verbosity: verbosity})
		},
	}
	serverFlags(c.Flags(), &o)
	c.Flags().StringVar(&logFile, "log-file", "", "Write the log to this file, rotated, instead of to stderr")
	c.Flags().IntVarP(&verbosity, "v", "v", 0, "Log level: 0 is what an administrator wants to know, 4 is for debugging")
	return c
}
