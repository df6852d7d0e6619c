// Package runtime_test runs the node's container runtime, network and cgroups, without a cluster, in namespaces of its own.
package runtime_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	criclient "k8s.io/cri-client/pkg"

	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/images/archive"
	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

const testImage = "docker.io/library/busybox:test"

func TestMain(m *testing.M) {
	containerd.RouteLibraryLogs(logger())
	os.Exit(nodens.Main(m, "crt-"))
}

func logger() logr.Logger {
	return funcr.New(func(_, line string) { fmt.Fprintln(os.Stderr, "containerd:", line) }, funcr.Options{})
}

// node is a container runtime under test and its clients.
type node struct {
	*containerd.Runtime
	config  containerd.Config
	runtime internalapi.RuntimeService
	images  internalapi.ImageManagerService
}

func newConfig(t *testing.T) containerd.Config {
	return containerd.Config{DataDir: t.TempDir(), Log: logger()}
}

// start runs containerd until the test ends.
func start(t *testing.T, c containerd.Config) *node {
	t.Helper()
	began := time.Now()
	r, err := containerd.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(r.Stop)
	t.Logf("containerd is ready after %s", time.Since(began).Round(time.Millisecond))
	n := &node{Runtime: r, config: c}
	n.runtime, n.images = clients(t, r.Endpoint())
	return n
}

func clients(t *testing.T, socket string) (internalapi.RuntimeService, internalapi.ImageManagerService) {
	t.Helper()
	r, err := criclient.NewRemoteRuntimeService(t.Context(), "unix://"+socket, 10*time.Second, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	i, err := criclient.NewRemoteImageService(t.Context(), "unix://"+socket, 10*time.Second, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return r, i
}

// join gives the node a Pod range and waits until the runtime has seen it.
func (n *node) join(t *testing.T) *network.Network {
	t.Helper()
	net := network.New(network.Config{DataDir: n.config.DataDir})
	if err := net.Join([]netip.Prefix{netip.MustParsePrefix("10.244.7.0/24")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the network is ready", func() bool {
		s, err := n.runtime.Status(t.Context(), false)
		if err != nil {
			return false
		}
		for _, c := range s.Status.Conditions {
			if c.Type == runtimeapi.NetworkReady {
				return c.Status
			}
		}
		return false
	})
	return net
}

// endpoint is where a configuration's containerd serves.
func endpoint(c containerd.Config) string { return containerd.Endpoint(c) }

// load imports an image of busybox alone.
func (n *node) load(t *testing.T) {
	t.Helper()
	n.loadAt(t, n.Endpoint())
}

func (n *node) loadAt(t *testing.T, socket string) {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs the Debian package busybox-static: ", err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := archive.Bytes(archive.Image{Name: testImage, Env: []string{"PATH=/bin"}, Files: []archive.File{
		{Path: "bin/busybox", Mode: 0o755, Content: binary}, {Path: "bin/sh", Link: "busybox"},
		{Path: "bin/sleep", Link: "busybox"}, {Path: "bin/ip", Link: "busybox"}, {Path: "bin/cat", Link: "busybox"},
		{Path: "bin/wget", Link: "busybox"}, {Path: "bin/ping", Link: "busybox"}, {Path: "tmp", Mode: 0o1777, Dir: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	names, err := images.Import(t.Context(), socket, strings.NewReader(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 1 || names[0] != testImage {
		t.Fatalf("imported %v", names)
	}
	eventually(t, "the image is known", func() bool {
		s, err := n.images.ImageStatus(t.Context(), &runtimeapi.ImageSpec{Image: testImage}, false)
		return err == nil && s.Image != nil
	})
}

// pod runs a sandbox as the kubelet does and one container that sleeps, with a memory limit, and returns their names.
func (n *node) pod(t *testing.T, name string) (sandbox, container string) {
	t.Helper()
	seccomp := &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Localhost, LocalhostRef: containerd.SandboxSeccomp(n.config)}
	sandboxConfig := &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: name, Namespace: "default", Uid: "uid-" + name},
		Hostname:     name,
		LogDirectory: filepath.Join("/var/log/pods", name),
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent:    filepath.Join(nodens.CgroupRoot(), "kubepods", "pod"+name),
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{Seccomp: seccomp},
		},
	}
	began := time.Now()
	sandbox, err := n.runtime.RunPodSandbox(t.Context(), sandboxConfig, "")
	if err != nil {
		t.Fatalf("RunPodSandbox: %v", err)
	}
	container, err = n.runtime.CreateContainer(t.Context(), sandbox, &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "main"},
		Image:    &runtimeapi.ImageSpec{Image: testImage},
		Command:  []string{"sh", "-c", "echo started; exec sleep 1000"},
		LogPath:  "main.log",
		Linux:    &runtimeapi.LinuxContainerConfig{Resources: &runtimeapi.LinuxContainerResources{MemoryLimitInBytes: 64 << 20, OomScoreAdj: 1000}},
	}, sandboxConfig)
	if err != nil {
		t.Fatalf("CreateContainer: %v", err)
	}
	if err := n.runtime.StartContainer(t.Context(), container); err != nil {
		t.Fatalf("StartContainer: %v", err)
	}
	t.Logf("pod %s runs after %s", name, time.Since(began).Round(time.Millisecond))
	return sandbox, container
}

func (n *node) exec(t *testing.T, container string, command ...string) string {
	t.Helper()
	out, errOut, err := n.runtime.ExecSync(t.Context(), container, command, 10*time.Second)
	if err != nil {
		t.Fatalf("executing %v: %v: %s", command, err, errOut)
	}
	return string(out)
}

func (n *node) status(t *testing.T, container string) *runtimeapi.ContainerStatus {
	t.Helper()
	s, err := n.runtime.ContainerStatus(t.Context(), container, false)
	if err != nil {
		t.Fatal(err)
	}
	return s.Status
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited two minutes until %s", what)
		}
	}
}
