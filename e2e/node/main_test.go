// Package node tests the binary on a machine of its own: namespaces with nothing in them but what it brings.
package node

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestMain(m *testing.M) { os.Exit(nodens.Main(m, "coracle-e2e-")) }

// machine is a data directory and a home on the test's machine.
type machine struct {
	binary, dir, home string
}

// newMachine needs bin/coracle, which make builds. Whatever the test leaves running is stopped after it.
func newMachine(t *testing.T) *machine {
	t.Helper()
	nodens.Need(t)
	binary, err := filepath.Abs(filepath.Join("..", "..", "bin", "coracle"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("no binary to test: %v; make build", err)
	}
	// Not t.TempDir: sockets beneath it must have short paths.
	dir, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{binary: binary, dir: filepath.Join(dir, "data"), home: dir}
	t.Cleanup(func() {
		if t.Failed() {
			m.tellLog(t)
		}
		if out, err := m.command(context.Background(), "reset", "--data-dir", m.dir).CombinedOutput(); err != nil {
			t.Errorf("reset: %v\n%s", err, out)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return m
}

// tellLog shows the end of the server's log.
func (m *machine) tellLog(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(m.dir, "server.log"))
	if err != nil {
		return
	}
	const most = 8000
	t.Logf("the server's log ends with:\n%s", content[max(0, len(content)-most):])
}

func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.binary, args...)
	cmd.Env = append(os.Environ(), "HOME="+m.home, "KUBECONFIG=", "SUDO_USER=")
	return cmd
}

// run runs the binary and returns what it prints on stdout.
func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := m.command(t.Context(), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("coracle %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// up brings the cluster up.
func (m *machine) up(t *testing.T, flags ...string) string {
	t.Helper()
	return m.run(t, append([]string{"up", "--data-dir", m.dir, "--node-name", "n1", "--cgroup-root", nodens.CgroupRoot(), "--eviction-hard", nodens.Pressure}, flags...)...)
}

func (m *machine) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return m.run(t, append([]string{"kubectl", "--kubeconfig", filepath.Join(m.dir, "admin.conf")}, args...)...)
}

func (m *machine) config(t *testing.T) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(m.dir, "admin.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (m *machine) client(t *testing.T) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(m.config(t))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// images are the demo's archives, which make builds.
func images(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "..", "bin", "images", "web-*.tar"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no images to load (%v); make images", err)
	}
	return found
}
