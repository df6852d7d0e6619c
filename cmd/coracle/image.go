package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/host"
)

func imageCommand() *cobra.Command {
	c := &cobra.Command{Use: "image", Short: "Handle container images of this machine's node"}
	dir := cluster.DefaultDataDir
	load := &cobra.Command{
		Use: "load FILE...", Short: "Load images from archives (docker save, OCI layout; plain, gzip or zstd); - is stdin", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			for _, name := range files {
				if err := loadImage(c, dir, name); err != nil {
					return err
				}
			}
			return nil
		},
	}
	dataDirFlag(load.Flags(), &dir, dir, "Where the cluster keeps its state")
	c.AddCommand(load)
	return c
}

func loadImage(c *cobra.Command, dir, name string) error {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	loaded, err := host.LoadImage(c.Context(), dir, in)
	if err != nil {
		return fmt.Errorf("loading %s: %w", name, err)
	}
	for _, image := range loaded {
		fmt.Fprintln(c.OutOrStdout(), "loaded", image)
	}
	return nil
}
