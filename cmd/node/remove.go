package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
// mount: what is still mounted stays, and is named in the error. What belongs to another node of this machine, or to another kubelet, stays.
func RemoveData(dataDir string) error {
	return places{kubelet: kubeletDir, podLogs: podLogsDir, containerLogs: containerLogsDir}.remove(dataDir)
}

// places are where Pods' volumes and logs are.
type places struct{ kubelet, podLogs, containerLogs string }

func (p places) remove(dataDir string) error {
	if ofAnother(p.kubelet, dataDir) {
		return nil
	}
	// The Pods' own directories go last: they say whose the logs are.
	pods := filepath.Join(p.kubelet, "pods")
	if err := p.removeLogs(pods); err != nil {
		return err
	}
	if err := removal.Contents(pods); err != nil {
		return err
	}
	_ = unix.Rmdir(pods) // one that is a link, or a disk of its own, stays
	return removal.Tree(filepath.Join(p.kubelet, ownerFile))
}

// removeLogs removes the logs of the Pods that have a directory in pods, and the links to them.
func (p places) removeLogs(pods string) error {
	entries, err := os.ReadDir(pods)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ours := map[string]bool{} // by UID
	for _, e := range entries {
		ours[e.Name()] = true
	}
	// Of a log's directory the name ends with the Pod's UID, as of one of its files the path does but for container and file.
	of := func(dir string) bool { return ours[dir[strings.LastIndexByte(dir, '_')+1:]] }
	var errs []error
	links, _ := os.ReadDir(p.containerLogs) // one that cannot be read has nothing that could be removed
	for _, e := range links {
		link := filepath.Join(p.containerLogs, e.Name())
		if target, err := os.Readlink(link); err == nil && of(filepath.Base(filepath.Dir(filepath.Dir(target)))) {
			errs = append(errs, os.Remove(link))
		}
	}
	logs, _ := os.ReadDir(p.podLogs)
	for _, e := range logs {
		if of(e.Name()) {
			errs = append(errs, removal.Tree(filepath.Join(p.podLogs, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func removeCgroups(root string) error {
	g, err := resources.New(resources.Config{Root: root})
	if err != nil {
		return err
	}
	return g.RemoveAll()
}
