package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
)

// measuring is a kubelet whose container c of Pod default/p, and whose node, use a quarter of a core.
func measuring(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metrics/resource" {
		http.NotFound(w, r)
		return
	}
	now, since := time.Now(), time.Now().Truncate(time.Hour).Add(-time.Hour)
	_, _ = fmt.Fprintf(w, `node_cpu_usage_seconds_total %[1]g %[2]d
node_memory_working_set_bytes 104857600 %[2]d
container_cpu_usage_seconds_total{container="c",namespace="default",pod="p"} %[1]g %[2]d
container_memory_working_set_bytes{container="c",namespace="default",pod="p"} 8388608 %[2]d
container_start_time_seconds{container="c",namespace="default",pod="p"} %[3]d
resource_scrape_error 0
`, now.Sub(since).Seconds()/4, now.UnixMilli(), since.Unix())
}

// measured is a server with the node n of which the kubelet answers, the node dead of which none does, and a Pod on each.
func measured(t *testing.T) *apitest.Running {
	t.Helper()
	kubelet := httptest.NewTLSServer(http.HandlerFunc(measuring))
	t.Cleanup(kubelet.Close)
	r := apitest.Start(t, func(c *server.Config) {
		c.Kubelet = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the test's own
	})
	at, err := url.Parse(kubelet.URL)
	must(t, err)
	host, text, _ := net.SplitHostPort(at.Host)
	port, _ := strconv.Atoi(text)
	ctx, core := apitest.Context(t), r.Client(t).CoreV1()
	account(t, r, "default")
	for name, port := range map[string]int{"n": port, "dead": 1} {
		node, err := core.Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"is": name}}}, metav1.CreateOptions{})
		must(t, err)
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
		_, err = core.Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
		must(t, err)
	}
	for name, node := range map[string]string{"p": "n", "q": "dead"} {
		pod := runningPod(t, r, name, node, nil)
		pod.Status.Phase = corev1.PodRunning
		_, err := core.Pods("default").UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		must(t, err)
	}
	return r
}

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	r := measured(t)
	ctx, metrics := apitest.Context(t), metricsclient.NewForConfigOrDie(r.Config(t)).MetricsV1()
	soon(t, "metrics of the Pod", func() error {
		_, err := metrics.PodMetricses("default").Get(ctx, "p", metav1.GetOptions{})
		return err
	})
	pods, err := metrics.PodMetricses("").List(ctx, metav1.ListOptions{})
	if err != nil || len(pods.Items) != 1 || len(pods.Items[0].Containers) != 1 {
		t.Fatalf("metrics of Pods: %v, %v", pods, err)
	}
	p := pods.Items[0]
	if cpu := p.Containers[0].Usage.Cpu().MilliValue(); p.Name != "p" || cpu < 240 || cpu > 260 || p.Containers[0].Usage.Memory().String() != "8Mi" {
		t.Errorf("metrics of the Pod: %v", p)
	}
	if p.Window.Duration <= 0 || time.Since(p.Timestamp.Time) > time.Minute {
		t.Errorf("measured over %v until %v", p.Window, p.Timestamp)
	}
	old, err := metricsclient.NewForConfigOrDie(r.Config(t)).MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{LabelSelector: "is=n"})
	if err != nil || len(old.Items) != 1 || old.Items[0].Name != "n" || old.Items[0].Usage.Memory().String() != "100Mi" {
		t.Errorf("metrics of nodes in v1beta1: %v, %v", old, err)
	}
	for _, missing := range []string{"q", "never"} {
		if got, err := metrics.PodMetricses("default").Get(ctx, missing, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("metrics of Pod %s: %v, %v", missing, got, err)
		}
	}
	if list, err := metrics.PodMetricses("kube-system").List(ctx, metav1.ListOptions{}); err != nil || len(list.Items) != 0 {
		t.Errorf("metrics of no Pods: %v, %v", list, err)
	}
	if _, err := metrics.PodMetricses("default").List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"}); !apierrors.IsBadRequest(err) {
		t.Errorf("selected by what metrics do not have: %v", err)
	}
	for path, row := range map[string]string{"pods": "p", "nodes": "n"} {
		var table metav1.Table
		answer, err := r.Client(t).CoreV1().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1/"+path).
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
		must(t, err)
		must(t, json.Unmarshal(answer, &table))
		var columns []string
		for _, c := range table.ColumnDefinitions {
			columns = append(columns, c.Name)
		}
		if strings.Join(columns, ",") != "Name,cpu,memory,Window" || len(table.Rows) != 1 || table.Rows[0].Cells[0] != row {
			t.Errorf("table of %s: %v, %v", path, columns, table.Rows)
		}
	}
}

func TestMetricsAreDiscovered(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	for _, version := range []string{"v1", "v1beta1"} {
		list, err := r.Client(t).Discovery().ServerResourcesForGroupVersion("metrics.k8s.io/" + version)
		must(t, err)
		got := map[string]string{}
		for _, one := range list.APIResources {
			got[one.Name] = fmt.Sprint(one.Kind, " ", one.Namespaced, " ", one.Verbs)
		}
		if len(got) != 2 || got["nodes"] != "NodeMetrics false [get list]" || got["pods"] != "PodMetrics true [get list]" {
			t.Errorf("%s has %v", version, got)
		}
	}
	paths, err := r.Client(t).Discovery().OpenAPIV3().Paths()
	if err != nil || paths["apis/metrics.k8s.io/v1"] == nil || paths["apis/metrics.k8s.io/v1beta1"] == nil {
		t.Errorf("documents: %v, %v", paths, err)
	}
}

func TestWhoMaySeePodsMaySeeTheirMetrics(t *testing.T) {
	t.Parallel()
	r := apitest.Shared(t)
	ctx := apitest.Context(t)
	_, err := r.Client(t).RbacV1().RoleBindings("default").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "metrics-viewer"},
		Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "metrics-viewer"}},
		RoleRef:    rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: rbacv1.GroupName, Name: "view"},
	}, metav1.CreateOptions{})
	must(t, err)
	viewer := metricsclient.NewForConfigOrDie(asConfig(t, r, "metrics-viewer")).MetricsV1()
	soon(t, "view allows metrics of Pods", func() error {
		_, err := viewer.PodMetricses("default").List(ctx, metav1.ListOptions{})
		return err
	})
	_, nodes := viewer.NodeMetricses().List(ctx, metav1.ListOptions{})
	_, elsewhere := viewer.PodMetricses("kube-system").List(ctx, metav1.ListOptions{})
	_, stranger := metricsclient.NewForConfigOrDie(asConfig(t, r, "metrics-stranger")).MetricsV1beta1().PodMetricses("default").List(ctx, metav1.ListOptions{})
	for what, err := range map[string]error{"nodes": nodes, "another namespace": elsewhere, "a stranger": stranger} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// offered is which versions of metrics.k8s.io are served, as both kinds of discovery tell and as requests are answered.
func offered(ctx context.Context, client kubernetes.Interface) string {
	var all []string
	for _, aggregated := range []bool{true, false} {
		accept := "application/json"
		if aggregated {
			accept += ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
		}
		answer, err := client.Discovery().RESTClient().Get().AbsPath("/apis").SetHeader("Accept", accept).DoRaw(ctx)
		if err != nil {
			return err.Error()
		}
		var told struct {
			Groups, Items []struct {
				Name     string
				Metadata metav1.ObjectMeta
				Versions []struct{ Version string }
			}
		}
		if err := json.Unmarshal(answer, &told); err != nil {
			return err.Error()
		}
		var versions []string
		for _, g := range append(told.Groups, told.Items...) {
			if g.Name == "metrics.k8s.io" || g.Metadata.Name == "metrics.k8s.io" {
				for _, v := range g.Versions {
					versions = append(versions, v.Version)
				}
			}
		}
		all = append(all, strings.Join(versions, ","))
	}
	for _, version := range []string{"v1", "v1beta1"} {
		code := 0
		client.Discovery().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/" + version + "/nodes").Do(ctx).StatusCode(&code)
		all = append(all, strconv.Itoa(code))
	}
	return strings.Join(all, " ")
}

func TestAnotherMetricsServerTakesThePlaceOfOurs(t *testing.T) {
	t.Parallel()
	const ours, theirs, none = "v1,v1beta1 v1,v1beta1 200 200", "v1beta1 v1beta1 404 503", "  404 404"
	dir, ctx := t.TempDir(), apitest.Context(t)
	r, stop := apitest.StartIn(t, dir)
	expect := func(want string) {
		t.Helper()
		client := r.Client(t)
		soon(t, "what is offered", func() error {
			if got := offered(ctx, client); got != want {
				return fmt.Errorf("%q, not %q", got, want)
			}
			return nil
		})
	}
	services := func() apiregistrationclient.APIServiceInterface {
		return aggregator.NewForConfigOrDie(r.Config(t)).ApiregistrationV1().APIServices()
	}
	again := func(changes ...func(*server.Config)) {
		t.Helper()
		stop()
		r, stop = apitest.StartIn(t, dir, changes...)
	}
	disabled := func(c *server.Config) { c.Disabled = []string{server.MetricsServer} }
	defer func() { stop() }()

	if got := offered(ctx, r.Client(t)); got != ours {
		t.Errorf("a server that is ready offers %q", got)
	}
	applied, err := services().Get(ctx, "v1beta1.metrics.k8s.io", metav1.GetOptions{})
	must(t, err)
	applied.Spec.Service, applied.Spec.InsecureSkipTLSVerify = &apiregistrationv1.ServiceReference{Namespace: "kube-system", Name: "metrics-server"}, true
	_, err = services().Update(ctx, applied, metav1.UpdateOptions{})
	must(t, err)
	expect(theirs)
	again()
	expect(theirs)
	again(disabled)
	expect(theirs)
	again()
	must(t, services().Delete(ctx, "v1beta1.metrics.k8s.io", metav1.DeleteOptions{}))
	expect(ours)
	must(t, services().Delete(ctx, "v1.metrics.k8s.io", metav1.DeleteOptions{}))
	expect(ours)
	again(disabled)
	expect(none)
	again()
	expect(ours)
}
