package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/host"
)

func upCommand() *cobra.Command {
	var o cluster.Options
	var timeout time.Duration
	c := &cobra.Command{
		Use: "up", Short: "Start the cluster in the background and wait until it is usable", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.Complete(); err != nil {
				return err
			}
			return host.Up(c.Context(), o, host.ChangedFlags(c.Flags()), timeout, c.OutOrStdout())
		},
	}
	serverFlags(c.Flags(), &o)
	c.Flags().DurationVar(&timeout, "timeout", 3*time.Minute, "How long to wait until the cluster is usable")
	once(c.Flags())
	return c
}

func downCommand() *cobra.Command {
	dir := cluster.DefaultDataDir
	c := &cobra.Command{
		Use: "down", Short: "Stop the cluster and everything that it runs", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return host.Down(c.Context(), dir, c.OutOrStdout()) },
	}
	dataDirFlag(c.Flags(), &dir, dir, "Where the cluster keeps its state")
	return c
}

func resetCommand() *cobra.Command {
	dir, volumes := cluster.DefaultDataDir, false
	c := &cobra.Command{
		Use: "reset", Short: "Stop the cluster and delete its state", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return host.Reset(c.Context(), dir, volumes, c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&volumes, "local-volumes", false, "Delete this node's local volumes, too, which stay otherwise")
	dataDirFlag(c.Flags(), &dir, dir, "Where the cluster keeps its state")
	return c
}

func statusCommand() *cobra.Command {
	dir := cluster.DefaultDataDir
	c := &cobra.Command{
		Use: "status", Short: "Say whether the cluster runs and is usable", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			usable, err := host.Status(c.Context(), dir, c.OutOrStdout())
			if err == nil && !usable {
				err = errSilent
			}
			return err
		},
	}
	dataDirFlag(c.Flags(), &dir, dir, "Where the cluster keeps its state")
	return c
}
