package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// agents measures how fast machines join a cluster, and the last of them with nothing to do.
func (b *bench) agents(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "cb")
	if err != nil {
		return err
	}
	program, err := filepath.Abs(b.binary)
	if err != nil {
		return err
	}
	c, err := machines.Create(machines.Config{Dir: dir, Program: program, CgroupRoot: nodens.CgroupRoot() + "/machines"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := c.Up(ctx, func(string) {}); err != nil {
		return err
	}
	var took []time.Duration
	for range b.rounds {
		t, err := join(ctx, c)
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	b.report("agent: exec to node Ready, joining", "%s", median(took))
	pids, err := c.Agent(b.rounds).Coracle()
	if err != nil || len(pids) != 1 {
		return fmt.Errorf("looking for the agent's process: %d found: %w", len(pids), err)
	}
	return b.reportIdle("agent, idle", pids[0])
}

// join has another machine join c and returns how long it took from exec to Ready. The token is there before.
func join(ctx context.Context, c *machines.Cluster) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n, err := c.AddNode()
	if err != nil {
		return 0, err
	}
	config, err := c.AdminConfig()
	if err != nil {
		return 0, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return 0, err
	}
	named := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", n.Name).String()}
	w, err := client.CoreV1().Nodes().Watch(ctx, named)
	if err != nil {
		return 0, err
	}
	defer w.Stop()
	if err := n.Start(ctx); err != nil { // returns when the process is there
		return 0, err
	}
	began := time.Now()
	for e := range w.ResultChan() {
		if node, ok := e.Object.(*corev1.Node); ok && nodeReady(node) {
			return time.Since(began), nil
		}
	}
	return 0, fmt.Errorf("waiting until %s is Ready: the watch ended: %w", n.Name, ctx.Err())
}
