// Package nodes tests clusters of several nodes, each on a machine of its own. Without -short all tests run: they take minutes.
package nodes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestMain(m *testing.M) {
	machines.Init()
	os.Exit(nodens.Main(m, "coracle-nodes-"))
}

// cluster is a cluster under test.
type cluster struct {
	*machines.Cluster
	t      *testing.T
	config *rest.Config
	client kubernetes.Interface
}

// long skips a test that takes long where only the short ones are asked for.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long: make e2e")
	}
}

// newCluster needs bin/images and, unless config names another program, bin/coracle, which make builds. It is up when it returns,
// and removed after the test.
func newCluster(t *testing.T, config machines.Config) *cluster {
	t.Helper()
	nodens.Need(t)
	bin, err := filepath.Abs(filepath.Join("..", "..", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	config.Program, config.CgroupRoot = cmp.Or(config.Program, filepath.Join(bin, "coracle")), nodens.CgroupRoot()
	config.Images = []string{filepath.Join(bin, "images", "web-v1.tar")}
	for _, needed := range append(config.Images, config.Program) {
		if _, err := os.Stat(needed); err != nil {
			t.Fatalf("%v; make build images", err)
		}
	}
	if config.Dir, err = os.MkdirTemp("", "cn"); err != nil { // not t.TempDir: sockets beneath it must have short paths
		t.Fatal(err)
	}
	made, err := machines.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Cluster: made, t: t}
	t.Cleanup(c.remove)
	ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
	defer cancel()
	start := time.Now()
	if err := c.Up(ctx, func(step string) { t.Logf("%4.1f s: %s", time.Since(start).Seconds(), step) }); err != nil {
		t.Fatal(err)
	}
	if c.config, err = c.AdminConfig(); err != nil {
		t.Fatal(err)
	}
	if c.client, err = kubernetes.NewForConfig(c.config); err != nil {
		t.Fatal(err)
	}
	return c
}

// remove removes the cluster; if the test failed it tells what the nodes said.
func (c *cluster) remove() {
	if c.t.Failed() {
		for _, n := range c.Nodes {
			content, err := os.ReadFile(n.Log())
			const most = 6000
			c.t.Logf("the log of %s ends with (%v):\n%s", n.Name, err, content[max(0, len(content)-most):])
		}
	}
	if err := c.Down(); err != nil {
		c.t.Error(err)
	}
}

// kubectl runs kubectl as the administrator and returns what it prints on stdout.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.tryKubectl(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *cluster) tryKubectl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), await.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Program, append([]string{"kubectl", "--kubeconfig", c.Kubeconfig()}, args...)...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return string(out), nil
}

// webScript serves HTTP on port 8080, and on port 9000 ten megabytes whose digest it logs.
const webScript = "head -c 10485760 /dev/urandom > /big; md5sum < /big; nc -ll -p 9000 -e cat /big & exec /web"

// web is a Pod of the demo's web server on a node.
func web(name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "web", Image: "web:v1", ImagePullPolicy: corev1.PullNever, Command: []string{"sh", "-c", webScript},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8080)},
				}},
			}},
			NodeSelector: map[string]string{corev1.LabelHostname: node},
		},
	}
	for _, f := range change {
		f(pod)
	}
	return pod
}

// run creates Pods and returns them when they are Ready.
func (c *cluster) run(pods ...*corev1.Pod) []*corev1.Pod {
	c.t.Helper()
	all := c.client.CoreV1().Pods(metav1.NamespaceDefault)
	for _, pod := range pods {
		c.soon("creating Pod "+pod.Name, func() error { // the service account may not be there yet
			_, err := all.Create(c.t.Context(), pod, metav1.CreateOptions{})
			return err
		})
	}
	for i, pod := range pods {
		c.soon("Pod "+pod.Name+" is Ready", func() (err error) {
			if pods[i], err = all.Get(c.t.Context(), pod.Name, metav1.GetOptions{}); err != nil {
				return err
			}
			if !ready(pods[i]) {
				return fmt.Errorf("it is %s: %v", pods[i].Status.Phase, pods[i].Status.ContainerStatuses)
			}
			return nil
		})
	}
	return pods
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// soon fails the test if is has not succeeded within two minutes: busy machines are slow.
func (c *cluster) soon(what string, is func() error) {
	c.t.Helper()
	c.within(2*time.Minute, what, is)
}

// within fails the test if is does not succeed in time.
func (c *cluster) within(limit time.Duration, what string, is func() error) {
	c.t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := is()
		if err == nil {
			c.t.Logf("%s: after %.1f s", what, time.Since(start).Seconds())
			return
		}
		if time.Since(start) > limit {
			c.t.Fatalf("waited %s until %s: %v", limit, what, err)
		}
	}
}

// nodeReady says whether a node's Ready condition has a status.
func (c *cluster) nodeReady(name string, status corev1.ConditionStatus) error {
	node, err := c.client.CoreV1().Nodes().Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == status {
			return nil
		}
	}
	return fmt.Errorf("conditions: %v", node.Status.Conditions)
}

// containers are the running containers of all Pods on a node as the API tells them, with their starts: one that was restarted
// differs.
func (c *cluster) containers(node string) (all []string) {
	c.t.Helper()
	pods, err := c.client.CoreV1().Pods(metav1.NamespaceAll).List(c.t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, pod := range pods.Items {
		for _, s := range pod.Status.ContainerStatuses {
			if s.State.Running != nil {
				all = append(all, fmt.Sprintf("%s %s %s %d", pod.Name, s.ContainerID, s.State.Running.StartedAt, s.RestartCount))
			}
		}
	}
	slices.Sort(all)
	return all
}

// processes are a node's processes that serve the web, as its kernel knows them.
func (c *cluster) processes(n *machines.Node) []string {
	c.t.Helper()
	return strings.Fields(c.on(n, "sh", "-c", "grep -l ^/web /proc/[0-9]*/cmdline || true"))
}

// ask asks from within a Pod for / of a web server.
func (c *cluster) ask(from *corev1.Pod, host string, port int) (string, error) {
	script := fmt.Sprintf(`printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 3 %s %d | tail -n 1`, host, port)
	answer, err := c.tryKubectl("exec", from.Name, "--", "sh", "-c", script)
	if err == nil && !strings.Contains(answer, "version v1") {
		err = errors.New("no answer from " + host + ": " + answer)
	}
	return strings.TrimSpace(answer), err
}
