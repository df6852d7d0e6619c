package nodes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

func TestPodsOfAnAgentAreReachedThroughTheServer(t *testing.T) {
	c := newCluster(t, machines.Config{Agents: 1})
	pod := c.run(web("there", "agent1"))[0]
	if pod.Spec.NodeName != "agent1" || pod.Status.HostIP != c.Agent(1).Address.String() {
		t.Errorf("the Pod runs on %s, %s", pod.Spec.NodeName, pod.Status.HostIP)
	}
	if log := c.kubectl("logs", "there"); !strings.Contains(log, "listens on") {
		t.Errorf("its log:\n%s", log)
	}
	if out := c.kubectl("exec", "there", "--", "hostname"); out != "there\n" {
		t.Errorf("a command in it prints %q", out)
	}
	if _, err := c.tryKubectl("exec", "there", "--", "sh", "-c", "exit 3"); err == nil || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("a command that fails: %v", err)
	}
	if page := c.forwarded("pod/there", 8080); !strings.Contains(page, "there version v1") {
		t.Errorf("by its forwarded port: %q", page)
	}
	if stats := c.kubectl("get", "--raw", "/api/v1/nodes/agent1/proxy/stats/summary"); !strings.Contains(stats, `"there"`) {
		t.Errorf("the node's statistics: %s", stats)
	}
	c.kubectl("delete", "pod", "there", "--timeout=20s")
}

// forwarded is what a Pod's port answers by kubectl port-forward.
func (c *cluster) forwarded(target string, port int) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), await.Limit)
	cmd := exec.CommandContext(ctx, c.Program, "kubectl", "--kubeconfig", c.Kubeconfig(), "port-forward", target, fmt.Sprintf(":%d", port))
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // killed
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.t.Fatalf("forwarding: %q, %v", line, err)
	}
	var local int
	if _, err := fmt.Sscanf(line, "Forwarding from 127.0.0.1:%d", &local); err != nil {
		c.t.Fatalf("forwarding: %q, %v", line, err)
	}
	response, err := await.Client.Get(fmt.Sprintf("http://127.0.0.1:%d/", local))
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(page)
}
