package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
)

// agents measures how fast machines join a cluster, and the last of them with nothing to do.
func (b *bench) agents(ctx context.Context, c contender) (err error) {
	f, err := c.fleet(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Down()) }()
	var took []time.Duration
	for range b.rounds {
		t, err := join(ctx, f)
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	b.report(c, "agent: exec to node Ready, joining", "%s", median(took))
	pids, err := f.AgentProcesses()
	if err != nil {
		return err
	}
	return b.reportIdle(c, "agent, idle", pids)
}

// join has another machine join and returns how long it took from exec to Ready.
func join(ctx context.Context, f fleet) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	name, err := f.Add()
	if err != nil {
		return 0, err
	}
	config, err := f.AdminConfig()
	if err != nil {
		return 0, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return 0, err
	}
	w, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()})
	if err != nil {
		return 0, err
	}
	defer w.Stop()
	began, err := f.Join(ctx)
	if err != nil {
		return 0, err
	}
	for e := range w.ResultChan() {
		if node, ok := e.Object.(*corev1.Node); ok && nodeReady(node) {
			return time.Since(began), nil
		}
	}
	return 0, fmt.Errorf("waiting until %s is Ready: the watch ended: %w", name, context.Cause(ctx))
}
