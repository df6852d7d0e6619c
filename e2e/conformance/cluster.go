package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/e2e/conformance/registry"
	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

const (
	// prefix names what a run makes on this machine: the cgroup and the folder of its nodes, with its process's number.
	prefix = "coracle-conformance-"
	// nodesDir holds the folders of nodes, on a disk: they grow to gigabytes.
	nodesDir = "/var/tmp"
	// imageHost is whose images the suite uses.
	imageHost = "registry.k8s.io"
)

// registryAddress is where the nodes' router answers for imageHost.
var registryAddress = net.JoinHostPort(nodens.Address, "5000")

// enter runs this program again in namespaces that end with it, unless it runs there already.
func enter() (inside bool, code int, err error) {
	stale, err := filepath.Glob(filepath.Join(nodesDir, prefix+"[0-9]*"))
	if err != nil {
		return false, 0, err
	}
	for _, dir := range stale {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), prefix))
		if err == nil && nodens.CgroupRoot() == "/" && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			if err := os.RemoveAll(dir); err != nil {
				return false, 0, fmt.Errorf("removing what a killed run left: %w", err)
			}
		}
	}
	return nodens.Enter(prefix)
}

// withCluster starts a server with a node, and agents, and a registry of the suite's images, calls use with the administrator's
// kubeconfig and removes all again. The nodes' logs stay in the folder logs.
func (o *options) withCluster(ctx context.Context, images, logs string, use func(kubeconfig string) error) (err error) {
	archive, err := registry.Open(images)
	if err != nil {
		return err
	}
	defer archive.Close()
	listener, err := net.Listen("tcp", registryAddress)
	if err != nil {
		return fmt.Errorf("serving images: %w", err)
	}
	server := &http.Server{Handler: archive, ReadHeaderTimeout: 10 * time.Second}
	defer server.Close()
	go server.Serve(listener)

	dir := filepath.Join(nodesDir, nodens.CgroupRoot())
	registries := filepath.Join(dir, "registries")
	if err := configureRegistry(registries); err != nil {
		return err
	}
	program, err := kubelet(dir, o.program)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	cluster, err := machines.Create(machines.Config{
		Dir: dir, Program: program, Agents: o.agents, CgroupRoot: nodens.CgroupRoot(),
		Images: []string{images}, Registries: registries,
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	defer func() { err = errors.Join(err, keepLogs(cluster, logs), cluster.Down()) }()
	starting, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := cluster.Up(starting, func(step string) { fmt.Println(step) }); err != nil {
		return err
	}
	return use(cluster.Kubeconfig())
}

// kubelet gives our program the name by which a test finds a node's kubelet among its processes.
func kubelet(dir, program string) (string, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return "", err
	}
	link := filepath.Join(dir, "kubelet")
	return link, os.Symlink(program, link)
}

// configureRegistry writes what lets the nodes' containerd find imageHost's images in our registry.
func configureRegistry(dir string) error {
	dir = filepath.Join(dir, imageHost)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	url := "http://" + registryAddress
	return os.WriteFile(filepath.Join(dir, "hosts.toml"), fmt.Appendf(nil, "server = %q\n\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", url, url), 0o644)
}

// keepLogs copies what the nodes' coracle logged.
func keepLogs(cluster *machines.Cluster, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var errs []error
	for _, n := range cluster.Nodes {
		errs = append(errs, copyFile(filepath.Join(dir, n.Name+".log"), n.Log()))
	}
	return errors.Join(errs...)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the node was never started
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// commit describes what the working tree is at; empty where that cannot be told.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
