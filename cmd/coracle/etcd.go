package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/host"
)

func etcdCommand() *cobra.Command {
	dir := cluster.DefaultDataDir
	c := &cobra.Command{
		Use: "etcd", Short: "Look after the embedded etcd, whether the server runs or not",
		Long: "Look after the embedded etcd. A running server is asked, as the administrator; if none runs its data directory is opened.",
	}
	dataDirFlag(c.PersistentFlags(), &dir, dir, "Where the cluster's server keeps its state")
	run := func(do func(*cobra.Command, *host.Etcd, []string) error) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, args []string) error {
			e, err := host.OpenEtcd(dir)
			if err != nil {
				return err
			}
			return do(c, e, args)
		}
	}
	c.AddCommand(
		&cobra.Command{
			Use: "status", Short: "Say how full the database is, and of what", Args: cobra.NoArgs,
			RunE: run(func(c *cobra.Command, e *host.Etcd, _ []string) error { return e.Status(c.Context(), c.OutOrStdout()) }),
		},
		&cobra.Command{
			Use: "defrag", Short: "Give free pages of the database back to the disk", Args: cobra.NoArgs,
			Long: "Give free pages of the database back to the disk. Nothing is read or written meanwhile: about a second for each 100 MB in use.\nThe server does it by itself when it pays and nobody minds.",
			RunE: run(func(c *cobra.Command, e *host.Etcd, _ []string) error { return e.Defragment(c.Context()) }),
		},
		snapshotCommand(run),
	)
	return c
}

func snapshotCommand(run func(func(*cobra.Command, *host.Etcd, []string) error) func(*cobra.Command, []string) error) *cobra.Command {
	var saveKeys, restoreKeys bool
	c := &cobra.Command{Use: "snapshot", Short: "Save and restore what the database holds"}
	save := &cobra.Command{
		Use: "save FILE", Short: "Save a snapshot, as etcdutl reads it", Args: cobra.ExactArgs(1),
		Long: "Save a snapshot, as etcdutl reads it. Secrets in it are encrypted; the keys are not in it. With --with-keys they are in\nFILE.keys.tar beside it: who has both has the cluster. Keys that are named by flags of the server are not among them.",
		RunE: run(func(c *cobra.Command, e *host.Etcd, args []string) error {
			if err := e.Save(c.Context(), args[0], saveKeys); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "saved", args[0])
			return nil
		}),
	}
	save.Flags().BoolVar(&saveKeys, "with-keys", false, "Save the cluster's keys and certificates too, in FILE.keys.tar")
	restore := &cobra.Command{
		Use: "restore FILE", Short: "Make the state of a stopped server from a snapshot", Args: cobra.ExactArgs(1),
		Long: "Make the state of a stopped server from a snapshot. What was there before is moved aside. All clients list again; nodes stop the\nPods that the snapshot does not know.",
		RunE: run(func(c *cobra.Command, e *host.Etcd, args []string) error {
			return e.Restore(c.Context(), args[0], restoreKeys, c.OutOrStdout())
		}),
	}
	restore.Flags().BoolVar(&restoreKeys, "with-keys", false, "Restore the cluster's keys and certificates too, from FILE.keys.tar")
	c.AddCommand(save, restore)
	return c
}
