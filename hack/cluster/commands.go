package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

func upCommand(w *world) *cobra.Command {
	config := machines.Config{}
	link, patience := "one", 2*time.Minute
	c := &cobra.Command{
		Use: "up", Short: "Start a cluster and return when all nodes are Ready; start what has ended of one", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := w.complete(); err != nil {
				return err
			}
			if link != "one" && link != "routed" {
				return fmt.Errorf("--link: %q is neither one nor routed", link)
			}
			if config.Agents < 0 || config.Agents > 200 {
				return fmt.Errorf("--agents: %d is not between 0 and 200", config.Agents)
			}
			config.Dir, config.CgroupRoot, config.Routed = w.dir, w.cgroup(), link == "routed"
			ctx, cancel := context.WithTimeout(c.Context(), patience)
			defer cancel()
			return w.up(ctx, config)
		},
	}
	f := c.Flags()
	f.IntVar(&config.Agents, "agents", 1, "Number of nodes beside the server's own")
	f.StringVar(&link, "link", link, "one: all nodes on one link; routed: the agents behind a router")
	f.StringVar(&config.Program, "program", "bin/coracle", "The coracle binary (make build)")
	f.StringArrayVar(&config.ServerFlags, "server-flag", nil, "A flag for the server, as --server-flag=--v=4; repeatable")
	f.StringArrayVar(&config.AgentFlags, "agent-flag", nil, "A flag for each agent; repeatable")
	f.StringArrayVar(&config.Images, "image", nil, "An archive of images that every node loads; repeatable")
	f.StringVar(&config.Registries, "registries", "", "A folder of registry configurations, NAME/hosts.toml, for every node's container runtime")
	f.DurationVar(&patience, "timeout", patience, "When to give up waiting")
	return c
}

// up makes the world outside of it, and the cluster in it.
func (w *world) up(ctx context.Context, config machines.Config) error {
	if os.Getenv(insideVariable) != "" {
		return w.upInside(ctx, config)
	}
	m, err := w.find()
	if err == nil && m == nil {
		m, err = w.make()
	}
	if err != nil {
		return err
	}
	return w.repeat(m)
}

func (w *world) upInside(ctx context.Context, config machines.Config) error {
	cluster, err := machines.Open(w.dir)
	if errors.Is(err, fs.ErrNotExist) {
		cluster, err = create(config)
	}
	if err != nil {
		return err
	}
	cluster.Agents = max(cluster.Agents, config.Agents)
	start := time.Now()
	if err := cluster.Up(ctx, func(step string) { fmt.Printf("%5.1f s  %s\n", time.Since(start).Seconds(), step) }); err != nil {
		return err
	}
	fmt.Printf("kubeconfig: %s\nlogs:       %s/*/coracle.log\n", cluster.Kubeconfig(), w.dir)
	fmt.Printf("The API is reached in the cluster's own namespaces: hack/cluster --dir %s exec - COMMAND, or kubectl ARGUMENTS\n", w.dir)
	return nil
}

// create makes the cluster that the flags ask for.
func create(config machines.Config) (*machines.Cluster, error) {
	var err error
	if config.Program, err = filepath.Abs(config.Program); err != nil {
		return nil, err
	}
	if _, err := os.Stat(config.Program); err != nil {
		return nil, fmt.Errorf("no binary to run: %w; make build", err)
	}
	return machines.Create(config)
}

func downCommand(w *world) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Remove the cluster and its state", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := w.complete(); err != nil {
				return err
			}
			return w.destroy()
		},
	}
}

// command is a command that acts on the running cluster, from within its world.
func command(w *world, c *cobra.Command, act func(ctx context.Context, cluster *machines.Cluster, args []string) error) *cobra.Command {
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := w.complete(); err != nil {
			return err
		}
		if inside, err := w.inside(); !inside {
			return err
		}
		cluster, err := machines.Open(w.dir)
		if err != nil {
			return err
		}
		return act(c.Context(), cluster, args)
	}
	return c
}

func nodeCommand(w *world, name, short string, act func(*machines.Node) error) *cobra.Command {
	return command(w, &cobra.Command{Use: name + " NODE", Short: short, Args: cobra.ExactArgs(1)},
		func(_ context.Context, cluster *machines.Cluster, args []string) error {
			n, err := cluster.Node(args[0])
			if err != nil {
				return err
			}
			return act(n)
		})
}

func restartCommand(w *world) *cobra.Command {
	return command(w, &cobra.Command{Use: "restart NODE", Short: "Stop a node's coracle if it runs, and start it", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, cluster *machines.Cluster, args []string) error {
			n, err := cluster.Node(args[0])
			if err != nil {
				return err
			}
			if err := n.Stop(); err != nil {
				return err
			}
			return n.Start(ctx)
		})
}

func execCommand(w *world) *cobra.Command {
	c := command(w, &cobra.Command{Use: "exec NODE|- COMMAND [ARGUMENT...]", Short: "Run a command on a node; - is beside the nodes", Args: cobra.MinimumNArgs(2)},
		func(ctx context.Context, cluster *machines.Cluster, args []string) error {
			cmd := exec.CommandContext(ctx, args[1], args[2:]...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
			if args[0] == "-" {
				cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig())
				return cmd.Run()
			}
			n, err := cluster.Node(args[0])
			if err != nil {
				return err
			}
			return n.Run(cmd)
		})
	c.Flags().SetInterspersed(false)
	return c
}

func kubectlCommand(w *world) *cobra.Command {
	c := command(w, &cobra.Command{Use: "kubectl [ARGUMENT...]", Short: "Run kubectl against the cluster"},
		func(ctx context.Context, cluster *machines.Cluster, args []string) error {
			cmd := exec.CommandContext(ctx, cluster.Program, append([]string{"kubectl"}, args...)...)
			cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig())
			cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
			return cmd.Run()
		})
	c.Flags().SetInterspersed(false)
	return c
}
