package runtime_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

func TestPodsRunAndReachEachOther(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t))
	n.load(t)
	n.join(t)
	_, a := n.pod(t, "a")
	sandboxB, _ := n.pod(t, "b")

	s, err := n.runtime.PodSandboxStatus(t.Context(), sandboxB, false)
	if err != nil {
		t.Fatal(err)
	}
	address := s.Status.Network.Ip
	if !strings.HasPrefix(address, "10.244.7.") {
		t.Errorf("pod b has the address %q", address)
	}
	n.exec(t, a, "ping", "-c", "1", "-W", "2", address)
	n.exec(t, a, "ping", "-c", "1", "-W", "2", "10.244.7.1")
	log, err := os.ReadFile("/var/log/pods/a/main.log")
	if err != nil || !strings.HasSuffix(string(log), " stdout F started\n") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestSandboxIsConfinedAndDoesItsWork(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t))
	n.load(t)
	n.join(t)
	sandbox, _ := n.pod(t, "a")
	pids := processesOf(sandbox)
	if len(pids) != 1 {
		t.Fatalf("the sandbox has the processes %v", pids)
	}
	content, err := os.ReadFile(filepath.Join("/proc", pids[0], "status"))
	if err != nil {
		t.Fatal(err)
	}
	// 2 is a filter.
	for _, want := range []string{"Name:\tpause", "Seccomp:\t2"} {
		if !strings.Contains("\n"+string(content), "\n"+want+"\n") {
			t.Errorf("the sandbox's process lacks %q: %s", want, content)
		}
	}
	// Children are ignored, so that none becomes a zombie; SIGINT and SIGTERM are waited for. Who starts the test may ignore more.
	for set, signals := range map[string][]unix.Signal{"SigIgn": {unix.SIGCHLD}, "SigCgt": {unix.SIGINT, unix.SIGTERM}} {
		_, rest, _ := strings.Cut(string(content), "\n"+set+":\t")
		value, _, _ := strings.Cut(rest, "\n")
		got, err := strconv.ParseUint(value, 16, 64)
		for _, signal := range signals {
			if err != nil || got&(1<<(signal-1)) == 0 {
				t.Errorf("%s is %q, without %s: %v", set, value, signal, err)
			}
		}
	}
	if out, err := await.Command(t, "kill", "-TERM", pids[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, "the sandbox has ended", func() bool { return len(processesOf(sandbox)) == 0 })
}

func TestStoppingLeavesContainersRunning(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t))
	n.load(t)
	n.join(t)
	_, container := n.pod(t, "a")
	before := n.status(t, container)
	n.exec(t, container, "sh", "-c", "echo mine > /tmp/mark")

	n.Stop()
	if _, err := n.runtime.Version(t.Context(), ""); err == nil {
		t.Error("it still answers after Stop")
	}
	n = start(t, n.config)
	after := n.status(t, container)
	if after.State != runtimeapi.ContainerState_CONTAINER_RUNNING || after.StartedAt != before.StartedAt {
		t.Errorf("before %v, after %v", before, after)
	}
	if got := n.exec(t, container, "cat", "/tmp/mark"); got != "mine\n" {
		t.Errorf("the container's file says %q", got)
	}
}

// TestServe is not a test: it is the process that TestKilledProcessLeavesContainersRunning kills.
func TestServe(t *testing.T) {
	dir := os.Getenv("CRT_SERVE")
	if dir == "" {
		t.Skip("run by another test only")
	}
	start(t, containerd.Config{DataDir: dir, Log: logger()})
	os.Stdout.WriteString("serving\n")
	select {}
}

func TestKilledProcessLeavesContainersRunning(t *testing.T) {
	nodens.Need(t)
	c := newConfig(t)
	serve := func() (*node, func()) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestServe$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), "CRT_SERVE="+c.DataDir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := func() {
			cmd.Process.Kill()
			cmd.Wait()
		}
		t.Cleanup(kill)
		line := make([]byte, len("serving\n"))
		if _, err := out.Read(line); err != nil || string(line) != "serving\n" {
			t.Fatalf("the process said %q, %v", line, err)
		}
		n := &node{config: c}
		n.runtime, n.images = clients(t, endpoint(c))
		return n, kill
	}
	n, kill := serve()
	n.loadAt(t, endpoint(c))
	n.join(t)
	_, container := n.pod(t, "a")
	before := n.status(t, container)
	kill()
	n, kill = serve()
	after := n.status(t, container)
	if after.State != runtimeapi.ContainerState_CONTAINER_RUNNING || after.StartedAt != before.StartedAt {
		t.Errorf("before %v, after %v", before, after)
	}
	// What ends while nobody looks is noticed at the next start, with its exit code.
	kill()
	endContainer(t, container)
	n, _ = serve()
	if s := n.status(t, container); s.State != runtimeapi.ContainerState_CONTAINER_EXITED || s.ExitCode != 137 || s.FinishedAt <= s.StartedAt {
		t.Errorf("after its death the container is %v", s)
	}
}

// endContainer kills the processes whose cgroup names the container, and waits until they are gone.
func endContainer(t *testing.T, container string) {
	t.Helper()
	pids := processesOf(container)
	if len(pids) == 0 {
		t.Fatal("the container has no process")
	}
	for _, pid := range pids {
		kill(t, pid)
	}
	eventually(t, "the container is gone", func() bool { return len(processesOf(container)) == 0 })
}

func processesOf(container string) []string {
	paths, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	var pids []string
	for _, path := range paths {
		if content, err := os.ReadFile(path); err == nil && strings.Contains(string(content), container) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func kill(t *testing.T, pid string) {
	t.Helper()
	if out, err := await.Command(t, "kill", "-9", pid).CombinedOutput(); err != nil {
		t.Fatalf("killing %s: %v: %s", pid, err, out)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
