package chaos

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// world is a cluster of two nodes, on a small file system of their own.
type world struct {
	*machines.Cluster
	t      *testing.T
	client kubernetes.Interface
	load   *load
}

// calmDisk lets nodes take Pods again soon after a full disk: five minutes, the default, are more than a cluster gets here.
const calmDisk = "--eviction-pressure-transition-period=15s"

func newWorld(t *testing.T) *world {
	t.Helper()
	nodens.Need(t)
	bin, err := filepath.Abs(filepath.Join("..", "..", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ch")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("chaos", dir, "tmpfs", 0, "size=3g"); err != nil { // it ends with the namespaces
		t.Fatal(err)
	}
	made, err := machines.Create(machines.Config{
		Dir: filepath.Join(dir, "c"), Program: filepath.Join(bin, "coracle"), Agents: 1, CgroupRoot: nodens.CgroupRoot(),
		Images:      []string{filepath.Join(bin, "images", "web-v1.tar")},
		ServerFlags: []string{"--node-monitor-grace-period=20s", calmDisk}, AgentFlags: []string{calmDisk},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Cluster: made, t: t, load: &load{made: map[string]bool{}, gone: map[string]bool{}}}
	t.Cleanup(func() {
		w.tell()
		if err := w.Down(); err != nil {
			t.Error(err)
		}
		_ = unix.Unmount(dir, unix.MNT_DETACH)
		_ = os.Remove(dir)
	})
	if err := w.Up(await.Context(t, "both nodes are Ready"), func(step string) { t.Log(step) }); err != nil {
		t.Fatal(err)
	}
	config, err := w.AdminConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	if w.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the namespace's service account is there", func() bool {
		_, err := w.client.CoreV1().ServiceAccounts(namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	// What a node has with its first Pods, and keeps: two that stay.
	w.settle()
	return w
}

// settle runs a Pod on each node and removes them, so that what nodes make once and keep is there.
func (w *world) settle() {
	w.t.Helper()
	for _, n := range w.Nodes {
		p := serves("first")
		p.Spec.NodeName = n.Name
		if _, err := w.client.CoreV1().Pods(namespace).Create(w.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "first-" + n.Name}, Spec: p.Spec}, metav1.CreateOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	await.Until(w.t, "the first Pods run", func() bool {
		pods, err := w.client.CoreV1().Pods(namespace).List(w.t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Running"})
		return err == nil && len(pods.Items) == len(w.Nodes)
	})
	w.removeAll()
}

// tell says, where the test failed, what the nodes said last, and keeps their logs.
func (w *world) tell() {
	if !w.t.Failed() {
		return
	}
	for _, n := range w.Nodes {
		content, err := os.ReadFile(n.Log())
		kept := filepath.Join(os.TempDir(), "chaos-"+n.Name+".log")
		_ = os.WriteFile(kept, content, 0o600)
		const most = 3000
		w.t.Logf("the log of %s is in %s, and ends with (%v):\n%s", n.Name, kept, err, content[max(0, len(content)-most):])
	}
}

// soon waits until is does not fail any more, for as long as a cluster may take to come to itself. What takes longer fails, but is
// waited for: what comes after it may say more.
func (w *world) soon(what string, is func(context.Context) error) {
	w.t.Helper()
	ctx := await.Context(w.t, what)
	var last error
	told := false
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := is(ctx)
		if err == nil {
			w.t.Logf("%s: after %.1f s", what, time.Since(began).Seconds())
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("never: %s: %v", what, last)
		}
		last = err
		if time.Since(began) > calm && !told {
			told = true
			w.t.Errorf("not so after %s: %s: %v", calm, what, err)
		}
	}
}

// on runs a shell script on a node.
func (w *world) on(n *machines.Node, script string) (string, error) {
	out, err := n.Output(await.Command(w.t, "sh", "-c", script))
	return strings.TrimSpace(out), err
}

func split(what string) (kind, name string) {
	kind, name, _ = strings.Cut(what, "/")
	return kind, name
}
