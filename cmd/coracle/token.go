package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/host"
)

func tokenCommand() *cobra.Command {
	dir, kubeconfig := cluster.DefaultDataDir, ""
	tokens := func() (*host.Tokens, error) {
		if kubeconfig == "" {
			kubeconfig = filepath.Join(dir, cluster.AdminKubeconfig)
		}
		return host.OpenTokens(kubeconfig)
	}
	c := &cobra.Command{Use: "token", Short: "Handle the tokens that let machines join the cluster"}
	dataDirFlag(c.PersistentFlags(), &dir, dir, "Where the cluster's server keeps its state")
	c.PersistentFlags().StringVar(&kubeconfig, "kubeconfig", "", "An administrator's kubeconfig (default: "+cluster.AdminKubeconfig+" in the data directory)")
	c.AddCommand(
		createToken(tokens),
		&cobra.Command{
			Use: "list", Short: "List the tokens, without their secrets", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				t, err := tokens()
				if err != nil {
					return err
				}
				return t.List(c.Context(), c.OutOrStdout())
			},
		},
		&cobra.Command{
			Use: "delete ID...", Short: "Delete tokens; machines that have joined are not concerned", Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, ids []string) error {
				t, err := tokens()
				for _, id := range ids {
					if err == nil {
						err = t.Delete(c.Context(), id)
					}
				}
				return err
			},
		},
	)
	return c
}

func createToken(tokens func() (*host.Tokens, error)) *cobra.Command {
	life, description, uses := 24*time.Hour, "", 1
	c := &cobra.Command{
		Use: "create", Short: "Create a token and print it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := tokens()
			if err != nil {
				return err
			}
			token, server, err := t.Create(c.Context(), life, uses, description)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), token)
			fmt.Fprintf(c.ErrOrStderr(), "On the machine that is to join, with the token in a file (or - for standard input): coracle agent --server %s --token-file FILE\n", server)
			return nil
		},
	}
	c.Flags().DurationVar(&life, "ttl", life, "How long machines may join with it; 0 is for ever")
	c.Flags().IntVar(&uses, "uses", uses, "How many machines may join with it; 0 is any number")
	c.Flags().StringVar(&description, "description", "", "What the token is for")
	return c
}
