package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// act makes the test binary be the command.
const act = "CLUSTER_TEST_ACT"

func TestMain(m *testing.M) {
	machines.Init()
	if os.Getenv(act) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// call runs a command against the test's own cluster.
func call(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"--name", "test-" + filepath.Base(dir), "--dir", dir}, args...)...)
	cmd.Env = append(os.Environ(), act+"=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestClusterOutlivesTheCommandAndDownLeavesNothing(t *testing.T) {
	if reason := nodens.Unsupported(); reason != "" {
		t.Skip("needs namespaces: " + reason)
	}
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "coracle"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("no binary to test: %v; make build", err)
	}
	dir, err := os.MkdirTemp("", "cn")
	if err != nil {
		t.Fatal(err)
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := call(t, dir, args...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Cleanup(func() { must("down") })
	if out, err := call(t, dir, "exec", "server", "true"); err == nil || !strings.Contains(out, "no cluster runs") {
		t.Errorf("without a cluster: %v, %s", err, out)
	}
	must("up", "--agents", "1", "--program", program)
	if again := must("up"); strings.Contains(again, "starting") {
		t.Errorf("again, up says\n%s", again)
	}
	if nodes := must("kubectl", "get", "nodes"); !strings.Contains(nodes, "server") || !strings.Contains(nodes, "agent1") {
		t.Errorf("nodes:\n%s", nodes)
	}
	if name := must("exec", "agent1", "hostname"); name != "agent1\n" {
		t.Errorf("agent1 calls itself %q", name)
	}
	if out, err := call(t, dir, "exec", "agent1", "sh", "-c", "exit 3"); err == nil || err.Error() != "exit status 3" {
		t.Errorf("a command that fails: %v, %s", err, out)
	}
	must("exec", "-", "sh", "-c", "curl --silent --insecure --max-time 5 https://172.30.0.1:6443/readyz | grep ok")
	must("kill", "agent1")
	if out := must("restart", "agent1"); out != "" {
		t.Errorf("restart says %s", out)
	}
	must("down")
	must("down")
	if left := traces(t, dir); len(left) > 0 {
		t.Errorf("down leaves\n%s", strings.Join(left, "\n"))
	}
}

// traces are what is left of a cluster on this machine.
func traces(t *testing.T, dir string) (all []string) {
	t.Helper()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		all = append(all, dir)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(lines, "/proc/self/mountinfo") {
		content, err := os.ReadFile(file)
		if err == nil && !strings.HasPrefix(file, "/proc/self/cmdline") && strings.Contains(string(content), dir+"/") {
			all = append(all, file+": "+strings.ReplaceAll(string(content), "\x00", " "))
		}
	}
	groups, err := exec.Command("find", "/sys/fs/cgroup", "-name", "coracle-cluster-test-"+filepath.Base(dir)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return append(all, strings.Fields(string(groups))...)
}
