package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/host"
	"github.com/coracle-k8s/coracle/view"
)

func uiCommand() *cobra.Command {
	kubeconfig, name, address, open := "", "", "127.0.0.1:0", false
	c := &cobra.Command{
		Use: "ui", Short: "Show a cluster in the browser", Args: cobra.NoArgs,
		Long: "Show a cluster in the browser, with the rights of a kubeconfig's context, until it is interrupted.\nThe page is served on this machine alone, and each address that is printed lets one browser in, once.",
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := host.ViewOptions(kubeconfig, name)
			if err != nil {
				return err
			}
			o.Out = c.OutOrStdout()
			if open {
				o.Open = host.OpenBrowser
			}
			listener, err := view.Listen(address)
			if err != nil {
				return err
			}
			if err := view.Serve(c.Context(), listener, o); err != nil {
				return fmt.Errorf("serving the view: %w", err)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&kubeconfig, "kubeconfig", "", "The kubeconfig (default: as kubectl finds it, then this machine's own cluster)")
	f.StringVar(&name, "context", "", "The kubeconfig's context (default: the current one)")
	f.StringVar(&address, "address", address, "Where to serve the page: a loopback address and a port, 0 for a free one")
	f.BoolVar(&open, "open", false, "Open it in the browser, too")
	once(f)
	return c
}
