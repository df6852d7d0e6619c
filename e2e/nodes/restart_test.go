package nodes

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

func TestKilledServerComesBackUnderItsAgents(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1})
	there := c.run(web("here", "server"), web("there", "agent1"))[1]
	service := c.expose()
	c.balanced(there, service.Spec.ClusterIP, 2)
	before, processes := append(c.containers("server"), c.containers("agent1")...), c.processes(c.Agent(1))
	if err := c.Server().Kill(); err != nil {
		t.Fatal(err)
	}
	agent := c.pid(c.Agent(1))
	time.Sleep(3 * time.Second) // what agents do about it they do now
	if after := c.processes(c.Agent(1)); !slices.Equal(processes, after) {
		t.Errorf("without a server, processes on the agent: %v, before %v", after, processes)
	}
	c.again(c.Server())
	// Watches recover: of Pods that the agent is to run, and of the Services and endpoints that it leads to.
	c.run(web("late-here", "server"), web("late-there", "agent1"))
	c.balanced(there, service.Spec.ClusterIP, 4)
	if c.pid(c.Agent(1)) != agent {
		t.Error("the agent did not outlive the server")
	}
	c.kubectl("delete", "pods", "late-here", "late-there", "--timeout=30s")
	if after := append(c.containers("server"), c.containers("agent1")...); !slices.Equal(before, after) {
		t.Errorf("containers before %v, after %v", before, after)
	}
}

func TestKilledAgentFindsItsContainersRunning(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1})
	there := c.run(web("here", "server"), web("there", "agent1"))[1]
	service := c.expose()
	before, processes := c.containers("agent1"), c.processes(c.Agent(1))
	if err := c.Agent(1).Kill(); err != nil {
		t.Fatal(err)
	}
	if after := c.processes(c.Agent(1)); !slices.Equal(processes, after) || len(after) != 1 {
		t.Errorf("without coracle, processes on the agent: %v, before %v", after, processes)
	}
	c.again(c.Agent(1))
	c.run(web("late", "agent1"))
	c.balanced(there, service.Spec.ClusterIP, 3)
	c.kubectl("delete", "pod", "late", "--timeout=30s")
	if after := c.containers("agent1"); !slices.Equal(before, after) {
		t.Errorf("containers before %v, after %v", before, after)
	}
	if after := c.processes(c.Agent(1)); !slices.Equal(processes, after) {
		t.Errorf("processes before %v, after %v", processes, after)
	}
	c.kubectl("delete", "pod", "there", "--timeout=30s") // it still rules them
	if after := c.processes(c.Agent(1)); len(after) != 0 {
		t.Errorf("a deleted Pod leaves processes %v", after)
	}
}

func TestNodesThatLosePowerRunTheirPodsAgain(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1})
	pods := c.run(web("here", "server"), web("there", "agent1"))
	service := c.expose()
	for _, n := range c.Nodes {
		if err := n.Destroy(); err != nil {
			t.Fatal(err)
		}
	}
	c.again(c.Server())
	for i, pod := range pods {
		c.within(time.Minute, "Pod "+pod.Name+" runs again", func() (err error) {
			if pods[i], err = c.client.CoreV1().Pods(metav1.NamespaceDefault).Get(t.Context(), pod.Name, metav1.GetOptions{}); err != nil {
				return err
			}
			if s := pods[i].Status; !ready(pods[i]) || s.ContainerStatuses[0].RestartCount != 1 {
				return fmt.Errorf("it is %s: %v", s.Phase, s.ContainerStatuses)
			}
			return nil
		})
		if pods[i].UID != pod.UID {
			t.Errorf("%s is another Pod", pod.Name)
		}
	}
	c.balanced(pods[1], service.Spec.ClusterIP, 2)
}

func TestAgentStartsWithoutItsServer(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1})
	c.run(web("there", "agent1"))
	before, processes := c.containers("agent1"), c.processes(c.Agent(1))
	for _, n := range []*machines.Node{c.Agent(1), c.Server()} {
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Agent(1).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // it may well give up, or touch what it should not, only after a while
	c.pid(c.Agent(1))
	if after := c.processes(c.Agent(1)); !slices.Equal(processes, after) {
		t.Errorf("without a server, processes on the agent: %v, before %v", after, processes)
	}
	c.again(c.Server())
	c.run(web("late", "agent1"))
	c.kubectl("delete", "pod", "late", "--timeout=30s")
	if after := c.containers("agent1"); !slices.Equal(before, after) {
		t.Errorf("containers before %v, after %v", before, after)
	}
}

func TestWatchOfAnAgentsPodsOutlivesTheAgent(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1})
	c.run(web("there", "agent1"))
	ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
	defer cancel()
	events, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=there"})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	if err := c.Agent(1).Stop(); err != nil {
		t.Fatal(err)
	}
	c.again(c.Agent(1))
	c.kubectl("delete", "pod", "there", "--wait=false")
	for event := range events.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			t.Fatalf("the watch says %v", event)
		}
		if event.Type == watch.Deleted {
			return
		}
		if pod.DeletionTimestamp == nil && !ready(pod) {
			t.Errorf("the Pod was not Ready meanwhile: %v", pod.Status.Conditions)
		}
	}
	t.Error("the watch ended before the Pod's deletion")
}

// again starts coracle on a node, and waits until it is Ready.
func (c *cluster) again(n *machines.Node) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), await.Limit)
	defer cancel()
	if err := c.Up(ctx, func(step string) { c.t.Log(step) }); err != nil {
		c.t.Fatal(err)
	}
	c.soon(n.Name+" is Ready", func() error { return c.nodeReady(n.Name, corev1.ConditionTrue) })
}

// pid is the process that runs coracle on a node.
func (c *cluster) pid(n *machines.Node) int {
	c.t.Helper()
	pids, err := n.Coracle()
	if err != nil || len(pids) != 1 {
		c.t.Fatalf("processes of coracle on %s: %v, %v", n.Name, pids, err)
	}
	return pids[0]
}
