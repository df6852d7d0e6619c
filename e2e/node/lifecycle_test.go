package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestUpIsUsableOnReturnAndHarmlessAgain(t *testing.T) {
	m := newMachine(t)
	out := m.up(t)
	if !strings.Contains(out, "usable") {
		t.Errorf("up says\n%s", out)
	}
	nodes, err := m.client(t).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 1 || nodes.Items[0].Name != "n1" {
		t.Fatalf("nodes: %v, %v", nodes, err)
	}
	first := m.pid(t)
	if out := m.up(t); !strings.Contains(out, "runs already") {
		t.Errorf("again, up says\n%s", out)
	}
	if again := m.pid(t); again != first {
		t.Errorf("up made process %d of %d", again, first)
	}
	config, err := clientcmd.LoadFromFile(filepath.Join(m.home, ".kube", "config"))
	if err != nil || config.CurrentContext != "coracle" {
		t.Errorf("the user's kubeconfig: %v, %v", config, err)
	}
	for name, mode := range map[string]os.FileMode{"admin.conf": 0o600, "pki": 0o700, "etcd": 0o700} {
		info, err := os.Stat(filepath.Join(m.dir, name))
		if err != nil || info.Mode().Perm()&^mode != 0 {
			t.Errorf("%s: mode %v, %v; want at most %o", name, info.Mode(), err, mode)
		}
	}
}

func TestKilledServerFindsItsContainersRunning(t *testing.T) {
	m := newMachine(t)
	m.up(t)
	m.run(t, append([]string{"image", "load", "--data-dir", m.dir}, images(t)...)...)
	m.kubectl(t, "create", "deployment", "web", "--image=web:v1", "--replicas=3")
	m.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s")
	before := containers(t, m.client(t))
	if len(before) != 3 {
		t.Fatalf("containers: %v", before)
	}
	if err := syscall.Kill(m.pid(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m.waitGone(t)
	m.up(t)
	m.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s")
	if after := containers(t, m.client(t)); !slices.Equal(before, after) {
		t.Errorf("containers before %v, after %v", before, after)
	}
	// It still rules them: one that ends is replaced, a Pod that is deleted goes.
	m.kubectl(t, "scale", "deployment/web", "--replicas=1")
	m.kubectl(t, "wait", "--for=jsonpath={.status.replicas}=1", "deployment/web", "--timeout=60s")
}

func TestArchivesInTheDataDirectoryAreLoadedAtStart(t *testing.T) {
	m := newMachine(t)
	into := filepath.Join(m.dir, "images")
	if err := os.MkdirAll(into, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range images(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(into, filepath.Base(file)), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.up(t)
	m.kubectl(t, "run", "web", "--image=web:v1", "--image-pull-policy=Never")
	m.kubectl(t, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
}

func TestDownLeavesNothing(t *testing.T) {
	m := newMachine(t)
	clean := traces(t, m)
	m.up(t)
	m.run(t, append([]string{"image", "load", "--data-dir", m.dir}, images(t)...)...)
	m.kubectl(t, "create", "deployment", "web", "--image=web:v1", "--replicas=2")
	m.kubectl(t, "expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=NodePort")
	m.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s")
	if busy := traces(t, m); slices.Equal(busy, clean) {
		t.Fatal("a running cluster leaves no traces: the test looks at the wrong things")
	}
	m.run(t, "down", "--data-dir", m.dir)
	if left := traces(t, m); !slices.Equal(left, clean) {
		t.Errorf("down leaves\n%s\nbefore there was\n%s", strings.Join(left, "\n"), strings.Join(clean, "\n"))
	}
	m.run(t, "down", "--data-dir", m.dir) // again is harmless
	m.up(t)
	m.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s") // the state is still there
	m.run(t, "reset", "--data-dir", m.dir)
	if _, err := os.Stat(m.dir); !os.IsNotExist(err) {
		t.Errorf("reset leaves the data directory (%v)", err)
	}
	if config, err := clientcmd.LoadFromFile(filepath.Join(m.home, ".kube", "config")); err != nil || len(config.Contexts) != 0 {
		t.Errorf("reset leaves the context: %v, %v", config, err)
	}
	if left := traces(t, m); !slices.Equal(left, clean) {
		t.Errorf("reset leaves\n%s", strings.Join(left, "\n"))
	}
}

func TestWrongFlagsAreRefusedInOneLine(t *testing.T) {
	m := newMachine(t)
	for _, flags := range [][]string{{"--cluster-cidr", "10.96.0.0/12"}, {"--https-port", "-7"}, {"--etcd-servers", "nowhere"}, {"--no-such-flag"}} {
		out, err := m.command(t.Context(), append([]string{"server", "--data-dir", m.dir}, flags...)...).CombinedOutput()
		if err == nil || strings.Count(strings.TrimSpace(string(out)), "\n") != 0 || !strings.Contains(string(out), flags[0]) {
			t.Errorf("%v: %v\n%s", flags, err, out)
		}
	}
}

// pid is the server's process.
func (m *machine) pid(t *testing.T) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(m.dir, "server.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// waitGone waits until the killed server has given up its data directory.
func (m *machine) waitGone(t *testing.T) {
	t.Helper()
	f, err := os.Open(filepath.Join(m.dir, "server.pid"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil { // the kernel wakes us
		t.Fatal(err)
	}
}

// containers are the running containers of all Pods, with their starts: one that was restarted differs.
func containers(t *testing.T, client kubernetes.Interface) (all []string) {
	t.Helper()
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Running != nil {
				all = append(all, strings.Join([]string{pod.Name, c.ContainerID, c.State.Running.StartedAt.String(), strconv.Itoa(int(c.RestartCount))}, " "))
			}
		}
	}
	slices.Sort(all)
	return all
}

// traces are what a node leaves on a machine: processes, mounts, links, packet rules, routes, cgroups, network namespaces.
func traces(t *testing.T, m *machine) (all []string) {
	t.Helper()
	commands := map[string][]string{
		"process": {"ps", "-eo", "args="}, "link": {"ip", "-o", "link"}, "route": {"ip", "route"}, "netns": {"ls", "/run/netns"},
		"rule": {"iptables-save"}, "mount": {"cat", "/proc/self/mounts"},
	}
	for what, command := range commands {
		out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSpace(line)
			if line == "" || what == "process" && (strings.Contains(line, ".test") || strings.HasPrefix(line, "ps ")) || what == "rule" && strings.HasPrefix(line, "#") {
				continue
			}
			if what == "rule" {
				line, _, _ = strings.Cut(line, " [") // without counters
			}
			if what == "link" {
				_, line, _ = strings.Cut(line, ": ")
				line, _, _ = strings.Cut(line, ":")
			}
			all = append(all, what+": "+line)
		}
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*" + nodens.CgroupRoot() + "/*/")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		all = append(all, "cgroup: "+g)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
