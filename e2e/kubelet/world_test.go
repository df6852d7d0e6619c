// Package kubelet_test runs Pods with a real kubelet, container runtime and API server, in namespaces of its own.
package kubelet_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet"
	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/images/archive"
	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/kubelet/objects"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
	"github.com/coracle-k8s/coracle/registry/server"
)

const (
	image    = "docker.io/library/busybox:test"
	nodeName = "n1"
)

func TestMain(m *testing.M) {
	apitest.RouteLogs()
	containerd.RouteLibraryLogs(apitest.LibraryLogs())
	os.Exit(nodens.Main(m, "cpod-"))
}

// world is a cluster of one node without scheduler and controllers.
type world struct {
	t              *testing.T
	client         kubernetes.Interface
	config         *rest.Config
	dir            string
	endpoint       string
	sandboxSeccomp string
	evictionHard   string // of the next kubelet
	stop           func() // the kubelet
	keys           *pki.PKI
}

// pair loads a certificate and whom it trusts.
func (w *world) pair(p pki.Pair) (*tls.Certificate, *x509.CertPool) {
	w.t.Helper()
	pair, err := tls.X509KeyPair(p.CertPEM, p.KeyPEM)
	if err != nil {
		w.t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(w.keys.CA.Cert)
	return &pair, trusted
}

func newWorld(t *testing.T) *world {
	t.Helper()
	nodens.Need(t)
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, evictionHard: nodens.Pressure}
	ctx, cancel := context.WithCancel(context.Background())
	w.keys, err = pki.Ensure(pki.Options{
		Dir: filepath.Join(dir, "pki"), ServiceIP: net.IPv4(10, 96, 0, 1), ClusterDomain: "cluster.local",
		NodeName: nodeName, NodeHosts: []string{nodens.Address},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, trusted := w.pair(w.keys.KubeletClient)
	api, err := apitest.New(ctx, apitest.Options{Dir: dir, Change: func(c *server.Config) {
		c.Kubelet = &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{*client}, RootCAs: trusted}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- api.Server.Run(ctx) }()
	await.Receive(t, api.Server.Ready(), "the API server was ready")
	if w.config, err = api.Admin(); err != nil {
		t.Fatal(err)
	}
	w.client = kubernetes.NewForConfigOrDie(w.config)
	config := containerd.Config{DataDir: dir, Log: apitest.LibraryLogs()}
	runtime, err := containerd.Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	w.endpoint, w.sandboxSeccomp = runtime.Endpoint(), containerd.SandboxSeccomp(config)
	t.Cleanup(func() {
		if w.stop != nil {
			w.stop()
		}
		cancel()
		await.Return(t, "the container runtime stopped", runtime.Stop)
		await.Receive(t, done, "the API server stopped")
		_ = os.RemoveAll(dir) // what is still mounted there ends with the namespaces
	})
	w.load()
	for _, ns := range []string{"default", "kube-node-lease"} {
		_, err := w.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
		t.Logf("namespace %s: %v", ns, err)
	}
	root := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kube-root-ca.crt"}, Data: map[string]string{"ca.crt": "root"}}
	if _, err := w.client.CoreV1().ConfigMaps("default").Create(ctx, root, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "service account", func() bool {
		_, err := w.client.CoreV1().ServiceAccounts("default").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	w.startKubelet()
	return w
}

func (w *world) startKubelet() {
	t := w.t
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactory(w.client, 0)
	core := factory.Core().V1()
	source, err := objects.NewShared(core.ConfigMaps(), core.Secrets())
	if err != nil {
		t.Fatal(err)
	}
	classes := factory.Node().V1().RuntimeClasses().Lister()
	net4 := network.New(network.Config{DataDir: w.dir})
	serving, trusted := w.pair(w.keys.NodeServing)
	streams, err := containerd.OpenStreams(containerd.Config{DataDir: w.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { streams.Close() })
	k, err := kubelet.New(kubelet.Config{
		Streams: streams, PullRecordsDir: filepath.Join(w.dir, "image_manager"),
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return serving, nil },
		ClientCA:    trusted, ServerUser: pki.KubeletClientUser,
		NodeName: nodeName, NodeIPs: []netip.Addr{netip.MustParseAddr(nodens.Address)}, Client: w.client,
		Pods: core.Pods().Informer(), Nodes: core.Nodes().Informer(), Services: core.Services().Informer(),
		RuntimeClass: func(name string) (*nodev1.RuntimeClass, error) { return classes.Get(name) },
		Objects:      source, RuntimeEndpoint: w.endpoint, SandboxSeccomp: w.sandboxSeccomp, JoinNetwork: net4.Join, CgroupRoot: nodens.CgroupRoot(),
		EvictionHard: w.evictionHard, CPUs: 4, ClusterDNS: []netip.Addr{netip.MustParseAddr("10.96.0.10")},
	})
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- k.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := await.Receive(t, done, "the kubelet stopped"); err != nil {
			t.Errorf("kubelet: %v", err)
		}
		await.Return(t, "the informers stopped", factory.Shutdown)
		w.stop = nil
	}
	go func() {
		// The part of the controller that gives nodes their prefixes.
		for ctx.Err() == nil {
			n, err := w.client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
			if err == nil && n.Spec.PodCIDR == "" {
				n.Spec.PodCIDR, n.Spec.PodCIDRs = "10.244.7.0/24", []string{"10.244.7.0/24"}
				_, err = w.client.CoreV1().Nodes().Update(ctx, n, metav1.UpdateOptions{})
			}
			if err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	select {
	case <-k.Ready():
		t.Logf("node ready after %s", time.Since(began).Round(time.Millisecond))
	case err := <-done:
		t.Fatalf("kubelet ended: %v", err)
	case <-time.After(await.Limit):
		n, err := w.client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		entries, _ := os.ReadDir("/etc/cni/net.d")
		t.Fatalf("node is not ready: %v %+v %+v %v", err, n.Spec, n.Status.Conditions, entries)
	}
}

// load imports an image of busybox alone.
func (w *world) load() {
	t := w.t
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
	for _, name := range strings.Fields("sh sleep cat echo ls id nc touch rm mkdir stat mount grep hostname test true false env ps kill date wc httpd tail head readlink") {
		files = append(files, archive.File{Path: "bin/" + name, Link: "busybox"})
	}
	content, err := archive.Bytes(archive.Image{Name: image, Env: []string{"PATH=/bin"}, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := images.Import(t.Context(), w.endpoint, strings.NewReader(string(content))); err != nil {
		t.Fatal(err)
	}
}

// pod is a Pod bound to the node that runs a shell script.
func pod(name, script string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: corev1.PodSpec{
			NodeName:   nodeName,
			Containers: []corev1.Container{container("main", script)},
		},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func container(name, script string) corev1.Container {
	return corev1.Container{Name: name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", script}}
}

func (w *world) create(p *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	created, err := w.client.CoreV1().Pods(p.Namespace).Create(w.t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return created
}

func (w *world) get(name string) *corev1.Pod {
	w.t.Helper()
	p, err := w.client.CoreV1().Pods("default").Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return p
}

// until waits for a Pod to be as the condition says, and shows it where it never is.
func (w *world) until(name, what string, ok func(*corev1.Pod) bool) *corev1.Pod {
	w.t.Helper()
	return w.within(await.Limit, name, what, ok)
}

func (w *world) within(limit time.Duration, name, what string, ok func(*corev1.Pod) bool) *corev1.Pod {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		p := w.get(name)
		if ok(p) {
			return p
		}
		if time.Now().After(deadline) {
			w.tell(name)
			w.t.Fatalf("pod %s never %s", name, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *world) tell(name string) {
	if p := w.get(name); p != nil {
		w.t.Logf("%s: phase %s reason %s %s", name, p.Status.Phase, p.Status.Reason, p.Status.Message)
		for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			w.t.Logf("  %s: ready %v started %v restarts %d state %+v last %+v", s.Name, s.Ready, s.Started, s.RestartCount, s.State, s.LastTerminationState)
		}
		for _, c := range p.Status.Conditions {
			w.t.Logf("  %s %s %s %s", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	events, err := w.client.CoreV1().Events("default").List(w.t.Context(), metav1.ListOptions{})
	if err == nil {
		for _, e := range events.Items {
			if e.InvolvedObject.Name == name {
				w.t.Logf("  event %s %s: %s (%d)", e.Type, e.Reason, e.Message, e.Count)
			}
		}
	}
}

// logs is what a container wrote, read from its file.
func (w *world) logs(p *corev1.Pod, container string, count int) string {
	w.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/var/log/pods/%s_%s_%s/%s/%d.log", p.Namespace, p.Name, p.UID, container, count))
	if err != nil {
		return ""
	}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		if parts := strings.SplitN(line, " ", 4); len(parts) == 4 {
			out.WriteString(parts[3])
		}
	}
	return out.String()
}

func running(p *corev1.Pod) bool { return p != nil && p.Status.Phase == corev1.PodRunning }
func finished(p *corev1.Pod) bool {
	return p != nil && (p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed)
}
func gone(p *corev1.Pod) bool { return p == nil }

func (w *world) delete(name string) {
	w.t.Helper()
	if err := w.client.CoreV1().Pods("default").Delete(w.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return os.IsNotExist(err)
}
