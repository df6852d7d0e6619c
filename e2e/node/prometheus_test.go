package node

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

const prometheusAddress = "127.0.0.1:9093"

// questions are those of the usual dashboards and rules, each with what it must be more than.
var questions = []struct {
	query string
	above float64
}{
	{`count(up == 1)`, 4},
	{`count by (node) (kubelet_node_name{job="kubelet",node="n1"})`, 0},
	{`sum(kubelet_running_pods{job="kubelet"})`, 0},
	{`sum(kubelet_running_containers{job="kubelet",container_state="running"})`, 0},
	{`sum by (namespace,pod,container) (rate(container_cpu_usage_seconds_total{image!="",container!="",namespace="default"}[5m]))`, 0},
	{`sum(rate(container_cpu_usage_seconds_total{id="/"}[5m])) / sum(machine_cpu_cores)`, 0},
	{`sum(container_memory_working_set_bytes{id="/"}) / sum(machine_memory_bytes)`, 0},
	{`sum by (pod) (container_memory_working_set_bytes{job="kubelet",metrics_path="/metrics/cadvisor",container!="",image!=""})`, 1 << 12},
	{`sum by (pod) (container_memory_rss{container!=""})`, 0},
	{`sum by (pod) (increase(container_cpu_cfs_throttled_periods_total{container!=""}[5m])) / sum by (pod) (increase(container_cpu_cfs_periods_total{container!=""}[5m]))`, -1},
	{`sum by (namespace,pod) (rate(container_network_receive_bytes_total{image!="",namespace="default"}[5m]))`, -1},
	{`sum by (namespace,pod) (rate(container_network_transmit_packets_dropped_total{namespace="default"}[5m]))`, -1},
	{`max by (pod) (container_spec_memory_limit_bytes{container="web"})`, 1 << 20},
	{`time() - max by (pod) (container_start_time_seconds{container="web"})`, 0},
	{`histogram_quantile(0.99, sum by (le) (kubelet_pod_start_duration_seconds_bucket{job="kubelet",metrics_path="/metrics"}))`, 0},
	{`sum by (operation_type) (kubelet_runtime_operations_total{operation_type="start_container"})`, 0},
	{`min(kubelet_certificate_manager_server_ttl_seconds)`, 3600},
	{`sum by (pod) (prober_probe_total{probe_type="Readiness",result="successful",namespace="default"})`, 0},
	{`sum by (pod) (rate(pod_cpu_usage_seconds_total{namespace="default"}[5m]))`, -1},
	{`sum(rate(apiserver_request_total{job="apiserver"}[5m]))`, 0},
}

// TestPrometheusAnswersTheUsualQuestions: Debian's Prometheus, set up as docs/monitoring.md says, finds everything and has what dashboards ask for.
func TestPrometheusAnswersTheUsualQuestions(t *testing.T) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("there is no prometheus here: apt-get install prometheus")
	}
	m := newMachine(t)
	m.up(t)
	m.run(t, append([]string{"image", "load", "--data-dir", m.dir}, images(t)...)...)
	m.kubectl(t, "create", "deployment", "web", "--image=web:v1", "--port=8080")
	m.kubectl(t, "patch", "deployment", "web", "--patch", `{"spec":{"template":{"spec":{"containers":[{"name":"web",
		"resources":{"limits":{"cpu":"50m","memory":"64Mi"}},"readinessProbe":{"periodSeconds":1,"httpGet":{"port":8080}}}]}}}}`)
	m.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s")
	m.prometheus(t, binary)
	for _, q := range questions {
		var got []float64
		var failed error
		await.Until(t, q.query, func() bool {
			got, failed = ask(t.Context(), q.query)
			return failed == nil && len(got) > 0 && got[0] > q.above
		})
		t.Logf("%s: %v %v", q.query, got, failed)
	}
}

// prometheus runs as the documentation has it, but that it looks more often and has its files elsewhere.
func (m *machine) prometheus(t *testing.T, binary string) {
	t.Helper()
	dir := t.TempDir()
	m.kubectl(t, "create", "serviceaccount", "prometheus", "-n", "kube-system")
	m.kubectl(t, "create", "clusterrole", "prometheus", "--verb=get", "--resource=nodes/metrics", "--non-resource-url=/metrics")
	m.kubectl(t, "create", "clusterrolebinding", "prometheus", "--clusterrole=prometheus", "--serviceaccount=kube-system:prometheus")
	keep := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep("coracle.token", m.kubectl(t, "create", "token", "prometheus", "-n", "kube-system", "--duration=8760h"))
	ca, err := base64.StdEncoding.DecodeString(m.kubectl(t, "config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster.certificate-authority-data}"))
	if err != nil {
		t.Fatal(err)
	}
	keep("coracle.crt", string(ca))
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, config, _ := strings.Cut(string(doc), "```yaml\n")
	config, _, _ = strings.Cut(config, "```")
	keep("prometheus.yml", strings.NewReplacer("ADDRESS", nodens.Address, "30s", "1s", "/etc/prometheus", dir).Replace(config))
	_, nodes, _ := strings.Cut(string(doc), "-o go-template='")
	nodes, _, _ = strings.Cut(nodes, "' >")
	keep("nodes.yml", m.kubectl(t, "get", "nodes", "-o", "go-template="+strings.ReplaceAll(nodes, "\n    ", "\n")))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+prometheusAddress)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		_ = log.Close()
		if content, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("prometheus said:\n%s", content)
		}
	})
}

// ask returns the values that a query has now.
func ask(ctx context.Context, query string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+prometheusAddress+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	var values []float64
	for _, one := range answer.Data.Result {
		var n float64
		if _, err := fmt.Sscan(fmt.Sprint(one.Value[1]), &n); err != nil {
			return nil, err
		}
		values = append(values, n)
	}
	return values, nil
}
