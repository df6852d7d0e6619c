package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/e2e/nodens"
)

type bench struct {
	binary, images string
	rounds, pods   int
	kills          int
	idle           time.Duration
	report         func(figure, format string, args ...any)
}

func (b *bench) run(ctx context.Context) error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return fmt.Errorf("nothing to measure: %w; make build", err)
	}
	b.report("size of the binary", "%.1f MB", float64(info.Size())/1e6)
	if err := b.controlPlane(ctx); err != nil {
		return fmt.Errorf("measuring the control plane alone: %w", err)
	}
	if err := b.node(ctx); err != nil {
		return err
	}
	if err := b.agents(ctx); err != nil {
		return fmt.Errorf("measuring agents: %w", err)
	}
	return nil
}

// controlPlane measures server --no-node.
func (b *bench) controlPlane(ctx context.Context) error {
	var fresh, used []time.Duration
	for range b.rounds {
		dir, err := os.MkdirTemp("", "cb")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		for _, into := range []*[]time.Duration{&fresh, &used} {
			s, err := b.start(ctx, dir, "--no-node")
			if err != nil {
				return err
			}
			*into = append(*into, s.ready)
			if err := s.stop(); err != nil {
				return err
			}
		}
	}
	b.report("control plane alone: exec to /readyz, fresh directory", "%s", median(fresh))
	b.report("control plane alone: exec to /readyz, used directory", "%s", median(used))
	return nil
}

// node measures the whole: starts, Pods, idling.
func (b *bench) node(ctx context.Context) error {
	var figures [2]struct{ ready, node, pod []time.Duration }
	for range b.rounds {
		dir, err := b.directory()
		if err != nil {
			return err
		}
		for i := range figures {
			s, err := b.start(ctx, dir)
			if err != nil {
				return err
			}
			node, pod, err := s.firstPod(ctx)
			if err != nil {
				return fmt.Errorf("waiting for the first Pod: %w", err)
			}
			figures[i].ready, figures[i].node, figures[i].pod = append(figures[i].ready, s.ready), append(figures[i].node, node), append(figures[i].pod, pod)
			if err := s.stop(); err != nil {
				return err
			}
		}
		if err := b.remove(ctx, dir); err != nil {
			return err
		}
	}
	for i, name := range []string{"fresh", "used"} {
		b.report("exec to /readyz, "+name+" directory", "%s", median(figures[i].ready))
		b.report("exec to node Ready, "+name+" directory", "%s", median(figures[i].node))
		b.report("exec to first Pod Running, "+name+" directory", "%s", median(figures[i].pod))
	}
	return b.steady(ctx)
}

// steady measures Pods one at a time on a running cluster, and then the cluster with nothing to do.
func (b *bench) steady(ctx context.Context) error {
	dir, err := b.directory()
	if err != nil {
		return err
	}
	s, err := b.start(ctx, dir)
	if err != nil {
		return err
	}
	if _, _, err := s.firstPod(ctx); err != nil {
		return err
	}
	if err := b.reportIdle("idle", s.cmd.Process.Pid); err != nil {
		return err
	}
	var took []time.Duration
	for i := range b.pods {
		began := time.Now()
		if err := s.runPod(ctx, fmt.Sprintf("pod-%d", i)); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.report("Pod creation to Running, one at a time", "%s (p50), %s (p90)", round(took[len(took)/2]), round(took[len(took)*9/10]))
	if s, err = b.restarts(ctx, s); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	return b.remove(ctx, dir)
}

// reportIdle measures a process with nothing to do.
func (b *bench) reportIdle(what string, pid int) error {
	u, share, err := idle(pid, b.idle)
	if err != nil {
		return err
	}
	b.report(what+": memory", "%d MB RSS, %d MB of it anonymous", u.rss>>20, u.anonymous>>20)
	b.report(what+": CPU", "%.2f %% of a core over %s", 100*share, b.idle)
	return nil
}

// directory is a fresh data directory with the image to load.
func (b *bench) directory() (string, error) {
	dir, err := os.MkdirTemp("", "cb")
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(b.images)
	if err != nil {
		return "", fmt.Errorf("no image to run: %w; make images", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "images"), 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "images", filepath.Base(b.images)), content, 0o644)
}

func (b *bench) remove(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, b.binary, "reset", "--data-dir", dir)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("coracle reset: %w: %s", err, out)
	}
	return nil
}

// server is a running server.
type server struct {
	cmd   *exec.Cmd
	dir   string
	began time.Time
	// ready is how long it took from exec to /readyz.
	ready time.Duration
}

const port = "16443"

func (b *bench) start(ctx context.Context, dir string, flags ...string) (*server, error) {
	cmd := exec.CommandContext(ctx, b.binary, append([]string{"server", "--data-dir", dir, "--https-port", port, "--node-name", "n1",
		"--cgroup-root", nodens.CgroupRoot(), "--log-file", filepath.Join(dir, "server.log")}, flags...)...)
	s := &server{cmd: cmd, dir: dir, began: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// Fresh connections, without verification: the certificate may not exist yet.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for time.Since(s.began) < time.Minute {
		if r, err := client.Get("https://127.0.0.1:" + port + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				s.ready = time.Since(s.began)
				return s, nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, fmt.Errorf("the server is not ready after a minute: %s", lastLine(filepath.Join(dir, "server.log")))
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("stopping the server: %w: %s", err, lastLine(filepath.Join(s.dir, "server.log")))
	}
	return nil
}

func (s *server) client() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.dir, "admin.conf"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// firstPod returns how long after exec the node was Ready and a Pod, made as early as the server took it, was Running.
func (s *server) firstPod(ctx context.Context) (node, pod time.Duration, err error) {
	client, err := s.client()
	if err != nil {
		return 0, 0, err
	}
	running := make(chan error, 1)
	go func() {
		err := s.runPod(ctx, "first")
		pod = time.Since(s.began)
		running <- err
	}()
	w, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		if n, ok := e.Object.(*corev1.Node); ok && nodeReady(n) {
			node = time.Since(s.began)
			return node, pod, errors.Join(<-running)
		}
	}
	return 0, 0, errors.New("the watch of nodes ended")
}

func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// runPod makes a Pod, returns when it runs, and has it deleted.
func (s *server) runPod(ctx context.Context, name string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	pods := client.CoreV1().Pods(metav1.NamespaceDefault)
	w, err := pods.Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()})
	if err != nil {
		return err
	}
	defer w.Stop()
	want := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: new(int64),
		Containers:                    []corev1.Container{{Name: "web", Image: "web:v1", ImagePullPolicy: corev1.PullNever}},
	}}
	for { // the default service account may not be there yet
		if _, err = pods.Create(ctx, want, metav1.CreateOptions{}); err == nil || time.Since(s.began) > time.Minute {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	for e := range w.ResultChan() {
		if pod, ok := e.Object.(*corev1.Pod); ok && e.Type != watch.Deleted && pod.Status.Phase == corev1.PodRunning {
			return pods.Delete(ctx, name, metav1.DeleteOptions{})
		}
	}
	return errors.New("the watch of the Pod ended")
}

func median(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("%s (median of %d, %s to %s)", round(all[len(all)/2]), len(all), round(all[0]), round(all[len(all)-1]))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func lastLine(file string) (line string) {
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		if text := strings.TrimSpace(scanner.Text()); text != "" {
			line = text
		}
	}
	return line
}
