// Package faults_test runs a cluster with its node in this process, in namespaces of its own, and lets all of it panic.
package faults_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/e2e/faults"
	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet/images/archive"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

const (
	image    = "docker.io/library/busybox:test"
	nodeName = "n1"
)

func TestMain(m *testing.M) {
	apitest.RouteLogs()
	containerd.RouteLibraryLogs(apitest.LibraryLogs())
	os.Exit(nodens.Main(m, "cflt-"))
}

// Everything that makes a node, and the control plane beside it, panics the first time that it begins, and again while Pods come
// and go.
func TestEverythingOnANodeMayPanicOnce(t *testing.T) {
	nodens.Need(t)
	f := faults.Inject(t, "cluster", "API server") // their panics end the process
	f.All()
	n := start(t)
	n.works("first")
	began := f.Panicked()
	t.Logf("%d works panicked as they began: %q", len(began), began)
	if len(began) < 70 {
		t.Errorf("only %d works panicked: %q", len(began), began)
	}

	stop := n.use()
	recurring := f.Recurring(t, 3*time.Second)
	if len(recurring) == 0 {
		t.Error("nothing began again while Pods came and went")
	}
	for _, work := range recurring {
		f.Arm(work)
		for !f.Spent(t, work) {
		}
	}
	stop()
	t.Logf("%d works panicked in turn: %q", len(recurring), recurring)
	n.works("second")
	f.Counted(t)
}

// node is a cluster of one node.
type node struct {
	*testing.T
	client kubernetes.Interface
}

func start(t *testing.T) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "f") // not t.TempDir: sockets beneath it must have short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is still mounted there ends with the namespaces
	bring(t, filepath.Join(dir, "images"))
	o := cluster.Options{DataDir: dir, HTTPSPort: -1, NodeName: nodeName, NodeIP: nodens.Address, AdvertiseAddress: nodens.Address, CgroupRoot: nodens.CgroupRoot(), EvictionHard: nodens.Pressure}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Start(await.Context(t, "the cluster started"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		await.Return(t, "the cluster stopped", func() {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		})
	})
	config, err := c.AdminConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitUsable(await.Context(t, "the cluster was usable"), config, o, t.Logf); err != nil {
		t.Fatal(err)
	}
	return &node{t, kubernetes.NewForConfigOrDie(config)}
}

// bring puts an image where the node loads it.
func bring(t *testing.T, dir string) {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs the Debian package busybox-static: ", err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := []archive.File{{Path: "bin/busybox", Mode: 0o755, Content: binary}, {Path: "tmp", Mode: 0o1777, Dir: true}}
	for _, name := range strings.Fields("sh sleep cat echo grep test httpd mkdir wget true") {
		files = append(files, archive.File{Path: "bin/" + name, Link: "busybox"})
	}
	content, err := archive.Bytes(archive.Image{Name: image, Env: []string{"PATH=/bin"}, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "busybox.tar"), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (n *node) pod(name, script string, change ...func(*corev1.Pod)) *corev1.Pod {
	now := int64(1)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}}, Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: &now,
		Containers:                    []corev1.Container{{Name: "c", Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", script}}},
	}}
	for _, c := range change {
		c(p)
	}
	return p
}

// use lets Pods come and go until stop is called.
func (n *node) use() (stop func()) {
	ctx, cancel := context.WithCancel(n.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pods := n.client.CoreV1().Pods("default")
		for i := 0; ctx.Err() == nil; i++ {
			name := fmt.Sprint("used-", i)
			_, _ = pods.Create(ctx, n.pod(name, "sleep 1000", probed), metav1.CreateOptions{})
			for ctx.Err() == nil {
				if p, err := pods.Get(ctx, name, metav1.GetOptions{}); err == nil && ready(p) {
					break
				}
				pause(ctx)
			}
			_ = pods.Delete(ctx, name, metav1.DeleteOptions{})
		}
	}()
	return func() { cancel(); <-done }
}

func pause(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}

// probed asks a container whether it is ready, and whether it has broken.
func probed(p *corev1.Pod) {
	c := &p.Spec.Containers[0]
	c.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
	c.LivenessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"test", "!", "-e", "/tmp/broken"}}}}
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// until waits for a Pod.
func (n *node) until(name, what string, ok func(*corev1.Pod) bool) *corev1.Pod {
	n.Helper()
	var last *corev1.Pod
	await.Until(n, "Pod "+name+" "+what, func() bool {
		p, err := n.client.CoreV1().Pods("default").Get(n.Context(), name, metav1.GetOptions{})
		last = p
		return err == nil && ok(p)
	})
	return last
}

// works checks that Pods start, are probed, restarted, shown what changes, reached by their Service's name, and stopped, and that
// their logs can be read.
func (n *node) works(name string) {
	n.Helper()
	ctx, core := n.Context(), n.client.CoreV1()
	shown := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"page": "old"}}
	if _, err := core.ConfigMaps("default").Create(ctx, shown, metav1.CreateOptions{}); err != nil {
		n.Fatal(err)
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
	service, err := core.Services("default").Create(ctx, service, metav1.CreateOptions{})
	if err != nil {
		n.Fatal(err)
	}
	web := n.pod(name, "httpd -f -p 8080 -h /www", probed, func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "www", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}}
		p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "www", MountPath: "/www"}}
	})
	if _, err := core.Pods("default").Create(ctx, web, metav1.CreateOptions{}); err != nil {
		n.Fatal(err)
	}
	n.until(name, "was ready", ready)
	page := func(want string) func() bool {
		return func() bool { return get("http://"+net.JoinHostPort(service.Spec.ClusterIP, "80")+"/page") == want }
	}
	await.Until(n, "the Service of "+name+" was reached", page("old"))
	if _, err := core.ConfigMaps("default").Patch(ctx, name, types.MergePatchType, []byte(`{"data":{"page":"new"}}`), metav1.PatchOptions{}); err != nil {
		n.Fatal(err)
	}
	await.Until(n, "the volume of "+name+" showed its ConfigMap's change", page("new"))

	client := name + "-client"
	script := "until wget -q -O - http://" + name + ".default.svc.cluster.local/page; do sleep 1; done; echo broken > /tmp/broken; sleep 1000"
	if _, err := core.Pods("default").Create(ctx, n.pod(client, script, probed), metav1.CreateOptions{}); err != nil {
		n.Fatal(err)
	}
	n.until(client, "was restarted when it was found broken", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].RestartCount > 0
	})
	await.Until(n, "the log of "+client+" said what it read by the Service's name", func() bool {
		said, err := core.Pods("default").GetLogs(client, &corev1.PodLogOptions{Previous: true}).DoRaw(ctx)
		return err == nil && strings.Contains(string(said), "new")
	})
	for _, p := range []string{name, client} {
		if err := core.Pods("default").Delete(ctx, p, metav1.DeleteOptions{}); err != nil {
			n.Error(err)
		}
	}
	for _, p := range []string{name, client} {
		await.Until(n, "Pod "+p+" went", func() bool {
			_, err := core.Pods("default").Get(ctx, p, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	}
}

// get returns what is served at a URL, "" if nothing.
func get(url string) string {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	var out [16]byte
	k, _ := r.Body.Read(out[:])
	return string(out[:k])
}
