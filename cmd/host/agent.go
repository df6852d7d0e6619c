package host

import (
	"context"
	"fmt"
	"path/filepath"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/cmd/agent"
	"github.com/coracle-k8s/coracle/cmd/node"
)

// RememberAgent fills in of the options what makes a node that has run before the same one: its server and its name.
func RememberAgent(o *agent.Options) error {
	if o.DataDir == "" {
		o.DataDir = node.DefaultDataDir
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	before, err := readSaved(dir)
	if err != nil || before.agent == nil {
		return err
	}
	if o.Server == "" {
		o.Server = before.agent.Server
	}
	if o.Name == "" {
		o.Name = before.agent.Name
	}
	return nil
}

// ServeAgent joins the cluster, unless this machine has, and runs an agent in this process until ctx ends. Containers live on.
func ServeAgent(ctx context.Context, o agent.Options, log Log) error {
	if err := log.start(); err != nil {
		return err
	}
	if err := preflight(); err != nil {
		return err
	}
	held, err := claim(o.DataDir, "agent")
	if err != nil {
		return err
	}
	defer held.Close()
	places, err := node.Claim(o.DataDir)
	if err != nil {
		return err
	}
	defer places.Close()
	if err := agent.Join(ctx, o); err != nil {
		return err
	}
	if err := saveOptions(o.DataDir, agentOptions, o); err != nil {
		return err
	}
	a, err := agent.Start(ctx, o)
	if err != nil {
		return err
	}
	defer started(takeNotifySocket())()
	klog.InfoS("Running a node", "server", o.Server, "node", o.Name, "address", o.IP)
	a.Wait()
	return nil
}
