package nodes

import (
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

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

// older is the coracle before this minor version of Kubernetes: see hack/older.sh.
func older(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "older", "coracle"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("needs an older coracle: hack/older.sh builds it where the repository has its history")
	}
	return program
}

// A cluster of the older minor version is upgraded in place: first the server, then the agent. Nothing that is stored is lost or
// changed, no container is started again. Agents may go back; the server may with a snapshot only, and is told so without harm.
func TestClusterOfAnOlderVersionIsUpgraded(t *testing.T) {
	long(t)
	old := older(t)
	c := newCluster(t, machines.Config{Agents: 1, Program: old})
	for _, n := range c.Nodes {
		n.Program = old
	}
	u := &upgrade{cluster: c, old: old, new: strings.Replace(old, "older/", "", 1)}
	u.fill()
	u.note()
	before := filepath.Join(c.Dir, "before.db")
	u.older("etcd", "snapshot", "save", before)

	u.swap(c.Server(), u.new)
	u.check("the server is new")
	u.works("with an older agent")

	u.swap(c.Agent(1), u.new)
	u.check("the agent is new, too")
	u.works("with both new")

	u.kubectlWorks() // the older one
	c.Program = u.new
	u.kubectlWorks()

	u.refuse(c.Server())
	u.check("the older program has tried to be the server")
	u.works("after that")

	u.swap(c.Agent(1), old)
	u.check("the agent is old again")
	u.works("with an agent that has gone back")

	u.swap(c.Server(), old, func() { u.older("etcd", "snapshot", "restore", before) })
	u.check("all is as before the upgrade")
	u.works("with both old again")

	u.swap(c.Server(), u.new)
	u.swap(c.Agent(1), u.new)
	u.check("both are new again")
	c.kubectl("-n", "kept", "set", "env", "deployment/web", "NEW=yes")
	c.kubectl("-n", "kept", "rollout", "status", "deployment/web", "--timeout=60s")
	c.kubectl("-n", "kept", "rollout", "undo", "deployment/web")
	c.kubectl("-n", "kept", "rollout", "status", "deployment/web", "--timeout=60s")
	if sets := strings.Fields(c.kubectl("-n", "kept", "get", "replicasets", "-o", "name")); len(sets) != 2 {
		t.Errorf("after a change and its undoing there are %v: the older one's is not taken up", sets)
	}
}

// upgrade is what is to outlive an upgrade.
type upgrade struct {
	*cluster
	old, new   string
	objects    inventory
	containers []string
	processes  map[string][]string
	tries      int
}

// older runs a command of the older program on the server's machine.
func (u *upgrade) older(args ...string) {
	u.t.Helper()
	out, err := u.Server().Output(await.Command(u.t, u.old, append(args, "--data-dir", u.Server().DataDir())...))
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Log(strings.TrimSpace(out))
}

// fill makes what testdata/kept.yaml describes, and waits until all of it is as it is to stay.
func (u *upgrade) fill() {
	u.t.Helper()
	u.on(u.Agent(1), "mkdir", "/opt/cni/kept")
	u.soon("all objects are made", func() error { // the CA, service accounts and the like may not be there yet
		_, err := u.tryKubectl("apply", "--server-side", "-f", "testdata/kept.yaml")
		return err
	})
	boat := filepath.Join(u.Dir, "boat.yaml")
	write(u.t, boat, "{apiVersion: example.com/v1, kind: Boat, metadata: {name: coracle, namespace: kept}, spec: {seats: 1}}", 0o644)
	u.soon("a custom object is made", func() error { _, err := u.tryKubectl("apply", "-f", boat); return err })
	for _, wait := range [][]string{
		{"rollout", "status", "deployment/web"}, {"rollout", "status", "daemonset/everywhere"}, {"rollout", "status", "statefulset/data"},
		{"wait", "job/done", "--for=condition=Complete"}, {"wait", "job/working", "--for=jsonpath={.status.ready}=1"},
	} {
		u.kubectl(append([]string{"-n", "kept", "--timeout=120s"}, wait...)...)
	}
	u.run(web("here", "server"), web("there", "agent1"))
	u.expose()
}

// note keeps what is there now.
func (u *upgrade) note() {
	u.objects, u.containers, u.processes = u.inventory(), u.all(), map[string][]string{}
	for _, n := range u.Nodes {
		u.processes[n.Name] = u.cluster.processes(n)
	}
	u.t.Logf("%d objects, %d containers, processes %v", len(u.objects), len(u.containers), u.processes)
}

func (u *upgrade) all() []string {
	return append(u.cluster.containers("server"), u.cluster.containers("agent1")...)
}

// swap goes on with another program on a node.
func (u *upgrade) swap(n *machines.Node, program string, between ...func()) {
	u.t.Helper()
	start := time.Now()
	if err := n.Stop(); err != nil {
		u.t.Fatal(err)
	}
	for _, f := range between {
		f()
	}
	n.Program = program
	if err := n.Start(u.t.Context()); err != nil {
		u.t.Fatal(err)
	}
	for _, each := range u.Nodes { // by their leases: after a step back in time, all else is reported every five minutes only
		u.soon(each.Name+" is Ready", func() error { return u.reports(each, n.Started) })
	}
	u.t.Logf("%s runs the other program %.1f s after it was told to end", n.Name, time.Since(start).Seconds())
}

// check compares with what was noted.
func (u *upgrade) check(when string) {
	u.t.Helper()
	if err := u.objects.lostIn(u.inventory()); err != nil {
		u.t.Errorf("%s, and of what there was:\n%v", when, err)
	}
	if now := u.all(); !slices.Equal(u.containers, now) {
		u.t.Errorf("%s, and containers are\n%s\nbefore\n%s", when, strings.Join(now, "\n"), strings.Join(u.containers, "\n"))
	}
	u.checkProcesses(when)
	if lines := u.on(u.Agent(1), "wc", "-l", "/opt/cni/kept/starts"); !strings.HasPrefix(lines, "1 ") {
		u.t.Errorf("%s, and starts on the volume: %s", when, lines)
	}
	if _, err := u.tryKubectl("-n", "kept", "delete", "secret", "password", "--dry-run=server"); err == nil || !strings.Contains(err.Error(), "the password is kept") {
		u.t.Errorf("%s, and the policy lets pass what it forbids: %v", when, err)
	}
}

// kubectlWorks runs the commands of kubectl that look at what a server says of itself and its objects, beyond what works and check use.
func (u *upgrade) kubectlWorks() {
	u.t.Helper()
	file := filepath.Join(u.t.TempDir(), "file")
	write(u.t, file, "content\n", 0o644)
	for _, c := range []struct{ command, prints string }{
		{"version", "Server Version: v1.37"},
		{"api-resources --api-group apps", "controllerrevisions"},
		{"explain deployment.spec.strategy", "rollingUpdate"},
		{"-n kept describe deployment web", "ScalingReplicaSet"},
		{"-n kept describe pod data-0", "/data from data"},
		{"-n kept get all -o wide", "statefulset.apps/data"},
		{"-n kept get boats.example.com coracle -o jsonpath={.spec.seats}", "1"},
		{"apply --server-side -f testdata/kept.yaml", "deployment.apps/web serverside-applied"},
		{"diff --server-side -f testdata/kept.yaml", ""},
		{"-n kept autoscale deployment web --name other --max 3 --dry-run=server", "autoscaled (server dry run)"},
		{"-n kept rollout history deployment/web", "REVISION"},
		{"-n kept auth can-i list configmaps --as system:serviceaccount:kept:worker", "yes"},
		{"-n kept create token worker", "ey"},
		{"-n kept create job more --from=cronjob/yearly --dry-run=server", "created (server dry run)"},
		{"-n kept set image statefulset/data web=web:v2 --dry-run=server", "image updated"},
		{"-n kept events --types=Normal", "Scheduled"},
		{"cp " + file + " default/there:/tmp/file", ""},
		{"exec there -- cat /tmp/file", "content"},
		{"drain agent1 --dry-run=server --ignore-daemonsets --force --delete-emptydir-data", "drained (server dry run)"},
	} {
		if out, err := u.tryKubectl(strings.Fields(c.command)...); err != nil || !strings.Contains(out, c.prints) {
			u.t.Errorf("%s kubectl %s: %v\n%s", u.Program, c.command, err, out)
		}
	}
}

func (u *upgrade) checkProcesses(when string) {
	u.t.Helper()
	for _, n := range u.Nodes {
		if now := u.cluster.processes(n); !slices.Equal(u.processes[n.Name], now) {
			u.t.Errorf("%s, and processes on %s are %v, before %v", when, n.Name, now, u.processes[n.Name])
		}
	}
}

// works uses the cluster: Pods come, answer, and go, and the old ones can be looked into.
func (u *upgrade) works(how string) {
	u.t.Helper()
	u.t.Log(how)
	u.tries++
	here, there := fmt.Sprintf("late-here-%d", u.tries), fmt.Sprintf("late-there-%d", u.tries)
	pods := u.run(web(here, "server"), web(there, "agent1"))
	for _, from := range pods {
		u.balanced(from, "web", 4) // by name, and across nodes
		u.balanced(from, "web.kept", 2)
	}
	for _, name := range []string{"here", "there", there} {
		if log := u.kubectl("logs", name); !strings.Contains(log, "listens on") {
			u.t.Errorf("%s: the log of %s:\n%s", how, name, log)
		}
		if out := u.kubectl("exec", name, "--", "hostname"); out != name+"\n" {
			u.t.Errorf("%s: a command in %s prints %q", how, name, out)
		}
	}
	if page := u.forwarded("pod/there", 8080); !strings.Contains(page, "there version v1") {
		u.t.Errorf("%s: by its forwarded port: %q", how, page)
	}
	u.kubectl("delete", "pod", here, there, "--timeout=30s")
	u.kubectl("-n", "kept", "scale", "statefulset/data", "--replicas=1") // its controller has read it as it is
	u.within(time.Minute, "the workloads are as they were", func() error {
		for _, status := range []string{"deployment/web", "daemonset/everywhere", "statefulset/data"} {
			if _, err := u.tryKubectl("-n", "kept", "rollout", "status", status, "--watch=false"); err != nil {
				return err
			}
		}
		return nil
	})
	u.nodesReady()
}

func (u *upgrade) nodesReady() {
	u.t.Helper()
	for _, n := range u.Nodes {
		if err := u.nodeReady(n.Name, corev1.ConditionTrue); err != nil {
			u.t.Errorf("%s: %v", n.Name, err)
		}
	}
}

// refuse expects that the older program ends by itself on what the newer one has used, with a line that says why, and that the newer
// one goes on with it.
func (u *upgrade) refuse(n *machines.Node) {
	u.t.Helper()
	if err := n.Stop(); err != nil {
		u.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(u.t.Context(), await.Limit)
	defer cancel()
	out, err := n.Output(exec.CommandContext(ctx, u.old, n.Args()...))
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil || !errors.As(err, &exit) || exit.ExitCode() < 1:
		u.t.Errorf("the older program did not end with an error: %s, %v", out, err)
	default:
		_, said, _ := strings.Cut(err.Error(), ": exit status ")
		u.t.Logf("it ends with %s", said)
		if out != "" || strings.Contains(said, "\n") || !strings.Contains(said, "coracle: ") || !strings.Contains(said, "newer") {
			u.t.Errorf("the older program says\n%s\n%s", out, said)
		}
	}
	u.checkProcesses("the older program has ended")
	u.again(n)
}
