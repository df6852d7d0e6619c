package nodes

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

func TestPodsAndServicesAreReachedAcrossOneLinkWithoutATunnel(t *testing.T) {
	c := newCluster(t, machines.Config{Agents: 1})
	c.exchange()
	if tunnels := c.on(c.Agent(1), "ip", "-o", "link", "show", "type", "vxlan"); tunnels != "" {
		t.Errorf("there is a tunnel: %s", tunnels)
	}
}

// Two agents are on one link, the server is behind a router: there are both ways in one cluster.
func TestPodsAndServicesAreReachedAcrossARouterByATunnel(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 2, Routed: true})
	pods := c.exchange()
	for _, w := range []struct {
		from   *machines.Node
		to     *corev1.Pod
		tunnel bool
	}{{c.Server(), pods[1], true}, {c.Agent(1), pods[0], true}, {c.Agent(1), pods[2], false}, {c.Agent(2), pods[1], false}} {
		route := c.on(w.from, "ip", "route", "get", w.to.Status.PodIP)
		if eth0 := strings.Contains(route, "dev eth0"); eth0 == w.tunnel {
			t.Errorf("from %s to a Pod on %s: %s", w.from.Name, w.to.Spec.NodeName, route)
		}
	}
}

// exchange runs a Pod on each node, and has them reach one another in every way that there is.
func (c *cluster) exchange() []*corev1.Pod {
	c.t.Helper()
	var pods []*corev1.Pod
	for _, n := range c.Nodes {
		pods = append(pods, web("web-"+n.Name, n.Name))
	}
	pods = c.run(pods...)
	service := c.expose()
	for _, from := range pods {
		for _, to := range pods {
			c.transfer(from, to)
		}
		c.balanced(from, service.Spec.ClusterIP, len(pods))
		if out := c.kubectl("exec", from.Name, "--", "nslookup", "web.default.svc.cluster.local"); !strings.Contains(out, service.Spec.ClusterIP) {
			c.t.Errorf("%s resolves the Service: %s", from.Name, out)
		}
	}
	for _, n := range c.Nodes {
		c.soon("the node port of "+n.Name+" answers", func() error {
			client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			response, err := client.Get(fmt.Sprintf("http://%s:%d/", n.Address, service.Spec.Ports[0].NodePort))
			if err != nil {
				return err
			}
			defer response.Body.Close()
			_, err = io.Copy(io.Discard, response.Body)
			return err
		})
	}
	return pods
}

// expose makes a Service of all web servers, on port 80.
func (c *cluster) expose() *corev1.Service {
	c.t.Helper()
	service, err := c.client.CoreV1().Services(metav1.NamespaceDefault).Create(c.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "web"},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return service
}

// transfer moves ten megabytes from one Pod, the server, to another, and checks that the server sees the client's own address.
func (c *cluster) transfer(client, server *corev1.Pod) {
	c.t.Helper()
	digest := strings.Fields(c.kubectl("logs", server.Name))[0]
	start := time.Now()
	got := c.kubectl("exec", client.Name, "--", "sh", "-c", fmt.Sprintf("nc -w 5 %s 9000 </dev/null | md5sum", server.Status.PodIP))
	if !strings.HasPrefix(got, digest) {
		c.t.Errorf("10 MB from %s to %s have the digest %s, want %s", server.Name, client.Name, got, digest)
	}
	c.t.Logf("10 MB from %s to %s: %.2f s", server.Name, client.Name, time.Since(start).Seconds())
	if _, err := c.ask(client, server.Status.PodIP, 8080); err != nil {
		c.t.Error(err)
	}
	if log := c.kubectl("logs", server.Name); !strings.Contains(log, " "+client.Status.PodIP+":") {
		c.t.Errorf("%s did not see %s itself, %s:\n%s", server.Name, client.Name, client.Status.PodIP, log)
	}
}

// balanced asks a Service until each of its Pods has answered.
func (c *cluster) balanced(from *corev1.Pod, service string, pods int) {
	c.t.Helper()
	seen := map[string]bool{}
	c.soon(fmt.Sprintf("%d Pods answer %s", pods, from.Name), func() error {
		answer, err := c.ask(from, service, 80)
		if err != nil {
			return err
		}
		if seen[answer] = true; len(seen) < pods {
			return fmt.Errorf("seen so far: %v", seen)
		}
		return nil
	})
}

// on runs a command on a node.
func (c *cluster) on(n *machines.Node, command ...string) string {
	c.t.Helper()
	out, err := n.Output(exec.CommandContext(c.t.Context(), command[0], command[1:]...))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}
