package main

import (
	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/host"
)

func serverCommand() *cobra.Command {
	var o cluster.Options
	var log host.Log
	c := &cobra.Command{
		Use: "server", Short: "Run the cluster in the foreground", Args: cobra.NoArgs,
		Long: "Run the cluster in the foreground: API server, controllers, scheduler and, unless --no-node, a node.\nContainers live on when it ends; it finds them when it starts again.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.Complete(); err != nil {
				return err
			}
			return host.Serve(c.Context(), o, log)
		},
	}
	serverFlags(c.Flags(), &o)
	o.Flags = func() map[string]string { return values(c.Flags()) }
	logFlags(c.Flags(), &log)
	once(c.Flags())
	return c
}
