package nodes

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

// Nodes run on while the server's state goes back in time: what they know is newer than what the server knows.
func TestRestoredSnapshotRulesItsNodes(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1})
	c.run(web("here", "server"), web("there", "agent1"), web("removed", "agent1"))
	c.deployOn("web", "agent1", 1)
	c.scaled("web", 1)
	file := filepath.Join(c.Dir, "snapshot.db")
	c.coracle("etcd", "snapshot", "save", file)
	kept := c.named("here", "there", "web-")

	// After the snapshot: Pods, one less, a bigger Deployment, an object that is changed often, and a node.
	c.run(web("late-here", "server"), web("late-there", "agent1"))
	c.kubectl("delete", "pod", "removed", "--timeout=30s")
	c.scale("web", 2)
	c.scaled("web", 2)
	added, err := c.AddNode()
	if err != nil {
		t.Fatal(err)
	}
	c.again(added)
	c.run(web("late-added", added.Name))
	late := c.version()

	if err := c.Server().Stop(); err != nil {
		t.Fatal(err)
	}
	t.Log(c.coracle("etcd", "snapshot", "restore", file))
	if err := c.Server().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	restored := time.Now()
	soon := func(what string, is func() error) {
		t.Helper()
		c.within(max(time.Minute-time.Since(restored), time.Second), what, is)
	}
	for _, n := range c.Nodes {
		soon(n.Name+" is Ready, by what it says now", func() error { return c.reports(n, restored) })
	}
	soon("the node that the snapshot does not know runs nothing", func() error { return c.runs(added, 0) })
	soon("the agent runs what the snapshot knows", func() error { return c.runs(c.Agent(1), 3) })
	soon("the server runs what the snapshot knows", func() error { return c.runs(c.Server(), 1) })
	soon("the API knows of no other Pods", func() error {
		if left := c.named("late-"); len(left) > 0 {
			return fmt.Errorf("there are %v", left)
		}
		return nil
	})
	c.scaled("web", 1)
	if now := c.named("here", "there", "web-"); !slices.Equal(kept, now) {
		t.Errorf("containers before %v, after %v", kept, now)
	}
	soon("the Pod that had been removed runs again", func() error {
		pod, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Get(t.Context(), "removed", metav1.GetOptions{})
		if err == nil && !ready(pod) {
			err = fmt.Errorf("it is %s: %v", pod.Status.Phase, pod.Status.ContainerStatuses)
		}
		return err
	})
	if now := c.version(); now <= late {
		t.Errorf("the resource version was %d before, and is %d", late, now)
	}
	c.refusesOld(late)
	// All of them work on: kubelets, controllers, proxies.
	c.run(web("new-here", "server"), web("new-there", "agent1"), web("new-added", added.Name))
	c.scale("web", 3)
	c.scaled("web", 3)
	c.kubectl("delete", "pod", "here", "there", "new-here", "new-there", "new-added", "--timeout=30s")
	soon("the agent runs the rest", func() error { return c.runs(c.Agent(1), 4) })
}

// coracle runs a command on the server's machine.
func (c *cluster) coracle(args ...string) string {
	c.t.Helper()
	out, err := c.Server().Output(await.Command(c.t, c.Program, append(args, "--data-dir", c.Server().DataDir())...))
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// deployOn makes a Deployment of web servers on a node.
func (c *cluster) deployOn(name, node string, replicas int32) {
	c.t.Helper()
	pod := web(name, node)
	pod.Labels = map[string]string{"app": name}
	pod.Namespace, pod.Name = "", ""
	if _, err := c.client.AppsV1().Deployments(metav1.NamespaceDefault).Create(c.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: pod.Labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec},
		},
	}, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) scale(deployment string, replicas int) {
	c.t.Helper()
	c.kubectl("scale", "deployment", deployment, fmt.Sprintf("--replicas=%d", replicas))
}

func (c *cluster) scaled(deployment string, replicas int32) {
	c.t.Helper()
	c.within(time.Minute, fmt.Sprintf("Deployment %s has %d Pods", deployment, replicas), func() error {
		d, err := c.client.AppsV1().Deployments(metav1.NamespaceDefault).Get(c.t.Context(), deployment, metav1.GetOptions{})
		if err == nil && (d.Status.Replicas != replicas || d.Status.AvailableReplicas != replicas || d.Status.ObservedGeneration != d.Generation) {
			err = fmt.Errorf("it is %+v", d.Status)
		}
		return err
	})
}

// named are the running containers of Pods whose names begin so.
func (c *cluster) named(prefixes ...string) (some []string) {
	c.t.Helper()
	for _, n := range c.Nodes {
		for _, one := range c.containers(n.Name) {
			if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(one, p) }) {
				some = append(some, one)
			}
		}
	}
	slices.Sort(some)
	return some
}

// runs fails unless so many web servers run on a node.
func (c *cluster) runs(n *machines.Node, want int) error {
	if now := c.processes(n); len(now) != want {
		return fmt.Errorf("%d web servers run there", len(now))
	}
	return nil
}

// reports fails unless a node is Ready and has renewed its lease and reported since then.
func (c *cluster) reports(n *machines.Node, since time.Time) error {
	if err := c.nodeReady(n.Name, corev1.ConditionTrue); err != nil {
		return err
	}
	lease, err := c.client.CoordinationV1().Leases("kube-node-lease").Get(c.t.Context(), n.Name, metav1.GetOptions{})
	if err == nil && (lease.Spec.RenewTime == nil || lease.Spec.RenewTime.Time.Before(since)) {
		err = fmt.Errorf("its lease was renewed at %v", lease.Spec.RenewTime)
	}
	return err
}

// version is the newest resource version of Pods.
func (c *cluster) version() (version int64) {
	c.t.Helper()
	list, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).List(c.t.Context(), metav1.ListOptions{})
	if err == nil {
		_, err = fmt.Sscan(list.ResourceVersion, &version)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return version
}

// refusesOld expects that who watches on from before the restored state is told to list again.
func (c *cluster) refusesOld(version int64) {
	c.t.Helper()
	events, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Watch(c.t.Context(), metav1.ListOptions{ResourceVersion: fmt.Sprint(version)})
	if err == nil {
		defer events.Stop()
		err = errors.New("it says nothing")
		if e := await.Receive(c.t, events.ResultChan(), "a watch from an old version says something"); e.Object != nil {
			err = apierrors.FromObject(e.Object)
		}
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		c.t.Errorf("a watch from a version before the restored state: %v", err)
	}
}
