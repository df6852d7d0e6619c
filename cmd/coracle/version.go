package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
	"k8s.io/component-base/version"

	"github.com/coracle-k8s/coracle/cmd/cluster"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the versions of coracle and of the Kubernetes that it is", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			fmt.Fprintf(c.OutOrStdout(), "coracle %s\nkubernetes %s\n%s %s/%s\n", cluster.Version, version.Get().GitVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
