package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// firstPod returns how long after exec the node was Ready and a Pod, made as early as the server took it, was Running.
func (r *running) firstPod(ctx context.Context) (node, pod time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		at, err := r.runPod(ctx, "first")
		pod = at.Sub(r.began)
		done <- err
	}()
	w, err := r.client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		if n, ok := e.Object.(*corev1.Node); ok && nodeReady(n) {
			node = time.Since(r.began)
			err := <-done
			return node, pod, err
		}
	}
	return 0, 0, fmt.Errorf("waiting until the node is Ready: the watch ended: %w: %s", context.Cause(ctx), r.LastWords())
}

func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// runPod makes a Pod, notes when it runs, deletes it and waits until it is gone. It has a second to stop: with none the API forgets
// it at once, and the next one would start while this one is being taken down.
func (r *running) runPod(ctx context.Context, name string) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pods := r.client.CoreV1().Pods(metav1.NamespaceDefault)
	w, err := pods.Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()})
	if err != nil {
		return at, err
	}
	defer w.Stop()
	want := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: new(int64(1)),
		Containers:                    []corev1.Container{{Name: "web", Image: "web:v1", ImagePullPolicy: corev1.PullNever}},
	}}
	for { // the default service account may not be there yet
		if _, err = pods.Create(ctx, want, metav1.CreateOptions{}); err == nil {
			break
		}
		if ctx.Err() != nil {
			return at, errors.Join(err, ctx.Err())
		}
		time.Sleep(5 * time.Millisecond)
	}
	for e := range w.ResultChan() {
		pod, ok := e.Object.(*corev1.Pod)
		switch {
		case ok && e.Type == watch.Deleted:
			return at, nil
		case ok && at.IsZero() && pod.Status.Phase == corev1.PodRunning:
			at = time.Now()
			if err := pods.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				return at, err
			}
		}
	}
	return at, fmt.Errorf("waiting until Pod %s runs and is gone: the watch ended: %w: %s", name, context.Cause(ctx), r.LastWords())
}
