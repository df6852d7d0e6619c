package node

import (
	"context"
	"fmt"
	"path/filepath"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

// runContainerd runs the container runtime and loads the images in the data directory.
func (n *Node) runContainerd(ctx context.Context) error {
	r, err := containerd.Start(ctx, n.options.containerd())
	if err != nil {
		return fmt.Errorf("starting containerd: %w", err)
	}
	defer r.Stop()
	n.runtimeStarted()
	var loading guard.Group
	defer loading.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	loading.Keep(ctx, "loading images", func(ctx context.Context) { n.loadImages(ctx, r.Endpoint()) })
	ended := make(chan error, 1)
	guard.GoThen("waiting for containerd", r.Wait, func(err error) { ended <- err })
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return fmt.Errorf("running containerd: %w", err)
	}
}

func (n *Node) loadImages(ctx context.Context, socket string) {
	dir := filepath.Join(n.options.DataDir, "images")
	err := images.LoadDir(ctx, socket, dir, func(archive string, names []string, err error) {
		if err != nil {
			klog.ErrorS(err, "Loading images", "archive", archive)
			return
		}
		klog.InfoS("Loaded images", "archive", archive, "images", names)
	})
	if err != nil && ctx.Err() == nil {
		klog.ErrorS(err, "Loading images", "directory", dir)
	}
}
