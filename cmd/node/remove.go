package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/kubelet/removal"
	"github.com/coracle-k8s/coracle/kubelet/resources"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
	"github.com/coracle-k8s/coracle/proxy"
)

// Where the kubelet keeps Pods' volumes and logs: upstream's places, which monitoring and log shippers read.
const (
	kubeletDir       = "/var/lib/kubelet"
	podLogsDir       = "/var/log/pods"
	containerLogsDir = "/var/log/containers"
)

// Remove removes all that a node with these options runs or has set up on this machine, whether or not a process runs it
// now: containers, mounts, network, packet rules, cgroups. What is written on disk stays. Each step is told to removed; one
// that goes wrong does not keep back the others. Idempotent.
func Remove(ctx context.Context, o Options, removed func(what string)) error {
	runtime := o.containerd()
	runtime.Log = logr.Discard() // it complains of the containers that end, and errors are returned
	var errs []error
	for _, step := range []struct {
		what   string
		remove func() error
	}{
		{"containers", func() error { return containerd.RemoveAll(ctx, runtime) }},
		{"volumes", func() error { return unmountPods(o.DataDir) }},
		{"packet rules", func() error { return proxy.Cleanup(ctx) }},
		{"Pod network", network.New(network.Config{DataDir: o.DataDir}).Remove},
		{"cgroups", func() error { return removeCgroups(o.CgroupRoot) }},
	} {
		if err := step.remove(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", step.what, err))
			continue
		}
		removed(step.what)
	}
	return errors.Join(errs...)
}

func unmountPods(dataDir string) error {
	if ofAnother(kubeletDir, dataDir) {
		return nil
	}
	return removal.Unmount(filepath.Join(kubeletDir, "pods"))
}

// RemoveData deletes what a removed node leaves on disk outside its data directory: volumes and logs of Pods. It goes through no
// mount: what is still mounted stays, and is named in the error. What belongs to another node of this machine stays.
func RemoveData(dataDir string) error {
	if ofAnother(kubeletDir, dataDir) {
		return nil
	}
	pods := filepath.Join(kubeletDir, "pods")
	if err := errors.Join(removal.Contents(pods), removal.Contents(podLogsDir), removal.Contents(containerLogsDir)); err != nil {
		return err
	}
	_ = unix.Rmdir(pods) // one that is a link, or a disk of its own, stays
	return removal.Tree(filepath.Join(kubeletDir, ownerFile))
}

func removeCgroups(root string) error {
	g, err := resources.New(resources.Config{Root: root})
	if err != nil {
		return err
	}
	return g.RemoveAll()
}
