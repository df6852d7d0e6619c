package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

// converges waits until the cluster is as it is wanted.
func (w *world) converges() {
	w.t.Helper()
	w.soon("all nodes are Ready", w.nodesReady)
	w.soon("what every cluster has is there", w.hasItsOwn)
	w.soon("all Deployments are available", w.deploymentsAvailable)
	w.soon("all Jobs are complete", w.jobsComplete)
	w.soon("all Pods run, or have ended", w.podsRun)
	for _, n := range w.Nodes {
		w.soon("Service kubernetes answers on "+n.Name, func(context.Context) error {
			out, err := w.on(n, "curl -ks --max-time 3 https://10.96.0.1/livez")
			if err == nil && !strings.Contains(out, "ok") && !strings.Contains(out, "Unauthorized") {
				err = errors.New(out)
			}
			return err
		})
	}
}

func (w *world) nodesReady(ctx context.Context) error {
	nodes, err := w.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(nodes.Items) != len(w.Nodes) {
		return fmt.Errorf("%d nodes", len(nodes.Items))
	}
	for _, n := range nodes.Items {
		if !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) || len(n.Spec.Taints) > 0 {
			return fmt.Errorf("node %s: %v, taints %v", n.Name, n.Status.Conditions, n.Spec.Taints)
		}
	}
	return nil
}

func (w *world) hasItsOwn(ctx context.Context) error {
	_, service := w.client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	slices, err := w.client.DiscoveryV1().EndpointSlices("default").List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kubernetes"})
	if err == nil && (len(slices.Items) != 1 || len(slices.Items[0].Endpoints) != 1) {
		err = fmt.Errorf("EndpointSlices of Service kubernetes: %v", slices.Items)
	}
	leases, noLeases := w.client.CoordinationV1().Leases("kube-node-lease").List(ctx, metav1.ListOptions{})
	if noLeases == nil && len(leases.Items) != len(w.Nodes) {
		noLeases = fmt.Errorf("%d leases of nodes", len(leases.Items))
	}
	return errors.Join(service, err, noLeases)
}

func (w *world) deploymentsAvailable(ctx context.Context) error {
	all, err := w.client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, d := range all.Items {
		if d.Status.AvailableReplicas != *d.Spec.Replicas || d.Status.Replicas != *d.Spec.Replicas {
			return fmt.Errorf("Deployment %s: %+v", d.Name, d.Status)
		}
	}
	return nil
}

func (w *world) jobsComplete(ctx context.Context) error {
	all, err := w.client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, j := range all.Items {
		if !slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
		}) || j.Status.Succeeded != 2 {
			return fmt.Errorf("Job %s: %+v", j.Name, j.Status)
		}
	}
	return nil
}

// podsRun looks at all Pods: those that were evicted from a full disk have failed, and may.
func (w *world) podsRun(ctx context.Context) error {
	all, err := w.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, p := range all.Items {
		ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed && p.Status.Reason == "Evicted"
		ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
		if !ended && !ready || p.DeletionTimestamp != nil {
			return fmt.Errorf("Pod %s on %s: deleted at %v, %s %s: %+v", p.Name, p.Spec.NodeName, p.DeletionTimestamp, p.Status.Phase, p.Status.Reason, p.Status.ContainerStatuses)
		}
	}
	return nil
}

// removeAll deletes all that the load has made, and waits until it is gone.
func (w *world) removeAll() {
	w.t.Helper()
	o, all := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)}, metav1.ListOptions{}
	w.soon("all objects are deleted", func(ctx context.Context) error {
		err := errors.Join(
			w.client.AppsV1().Deployments(namespace).DeleteCollection(ctx, o, all),
			w.client.BatchV1().Jobs(namespace).DeleteCollection(ctx, o, all),
			w.client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, all))
		if err != nil {
			return err
		}
		pods, err := w.client.CoreV1().Pods(namespace).List(ctx, all)
		if err != nil || len(pods.Items) == 0 {
			return err
		}
		p := pods.Items[0]
		return fmt.Errorf("%d Pods are left: %s on %s, %s, deleted at %v", len(pods.Items), p.Name, p.Spec.NodeName, p.Status.Phase, p.DeletionTimestamp)
	})
}

// left are the things on a node that Pods leave behind where nobody clears them away: a kind, and a script that lists them.
var left = []struct{ kind, script string }{
	{"process", `for p in /proc/[0-9]*; do [ -e $p/exe ] && echo "$(cat $p/comm)"; done | grep -v -e '^sh$' -e '^cat$' -e '^grep$' -e '^sort$' || true`},
	{"mount", `cut -d' ' -f2 /proc/self/mounts | grep -e ^/run/ -e ^/var/ -e /ch[0-9]`},
	{"address", `ip -o addr | awk '{print $2, $4}' | grep -v ' fe80:'`},
	{"network namespace", `ls /run/netns /var/run/netns 2>/dev/null | sort -u`},
	{"rule", `for t in nat filter mangle; do iptables-save -t $t; done | grep '^-A'`},
	{"directory of a Pod", `ls -d /var/lib/kubelet/pods/* /var/log/pods/* /var/log/containers/* 2>/dev/null || true`},
	{"address given", `find /var/lib/cni -type f 2>/dev/null || true`},
	// Files of etcd and of images are numbered, and stay.
	{"file", `find $DATA /run/coracle /etc/cni -not -type d -not -path '*/etcd/*' -not -path '*/snapshots/*' 2>/dev/null || true`},
}

// traces are what there is on all nodes: "node kind: thing".
func (w *world) traces() map[string]bool {
	w.t.Helper()
	all := map[string]bool{}
	for _, n := range w.Nodes {
		for _, l := range left {
			out, err := w.on(n, strings.ReplaceAll(l.script, "$DATA", n.DataDir()))
			if err != nil {
				w.t.Fatalf("looking for each %s on %s: %v", l.kind, n.Name, err)
			}
			for i, line := range numbered(out) {
				all[fmt.Sprintf("%s has a %s: %s (%d)", n.Name, l.kind, i, line)] = true
			}
		}
		for _, thing := range append(cgroups(n), snapshots(n)...) {
			all[n.Name+" has a "+thing] = true
		}
		things, err := w.inRuntime(n)
		if err != nil {
			w.t.Fatalf("looking into the runtime of %s: %v", n.Name, err)
		}
		for _, thing := range things {
			all[n.Name+" has a "+thing] = true
		}
	}
	return all
}

// numbered counts how often a line was there.
func numbered(out string) map[string]int {
	lines := map[string]int{}
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" {
			lines[line]++
		}
	}
	return lines
}

var podCgroup = regexp.MustCompile(`/pod[0-9a-f-]{36}`)

func cgroups(n *machines.Node) (found []string) {
	for _, hierarchy := range []string{"", "pids", "memory", "cpu"} {
		root := filepath.Join("/sys/fs/cgroup", hierarchy, n.CgroupRoot())
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() && podCgroup.MatchString(path) {
				found = append(found, "cgroup of a Pod: "+path)
			}
			return nil
		})
	}
	return found
}

// snapshots are counted: their numbers go up.
func snapshots(n *machines.Node) (found []string) {
	dirs, _ := filepath.Glob(filepath.Join(n.DataDir(), "*", "*snapshotter*", "snapshots", "*"))
	for i := range dirs {
		found = append(found, fmt.Sprintf("snapshot, the %d.", i+1))
	}
	return found
}

// leavesNothing waits until there is no more than there was before the first Pod.
func (w *world) leavesNothing(before map[string]bool) {
	w.t.Helper()
	w.soon("nothing is left over", func(context.Context) error {
		var more []string
		for thing := range w.traces() {
			if !before[thing] {
				more = append(more, thing)
			}
		}
		slices.Sort(more)
		if len(more) > 0 {
			return errors.New(strings.Join(more, "\n"))
		}
		return nil
	})
}

// goroutines counts those of the server, and of its agents by way of it.
func (w *world) goroutines() (counts map[string]int, err error) {
	counts = map[string]int{}
	for _, n := range w.Nodes {
		path := "/metrics"
		if !n.Server() {
			path = "/api/v1/nodes/" + n.Name + "/proxy" + path
		}
		metrics, err := w.client.Discovery().RESTClient().Get().AbsPath(path).DoRaw(w.t.Context())
		if err != nil {
			return nil, err
		}
		_, after, _ := strings.Cut(string(metrics), "\ngo_goroutines ")
		var count int
		if _, err := fmt.Sscan(after, &count); err != nil {
			return nil, fmt.Errorf("goroutines of %s: %w", n.Name, err)
		}
		counts[n.Name] = count
	}
	return counts, nil
}

// some goroutines are of connections and watches that come and go: no Pod leaves so many.
const some = 150

// leavesNoGoroutines waits until there are about as many as there were. Those of processes that have ended since do not count.
func (w *world) leavesNoGoroutines(before map[string]int) {
	w.t.Helper()
	w.soon("no goroutines are left over", func(context.Context) error {
		now, err := w.goroutines()
		for name, count := range now {
			if count > before[name]+some {
				err = errors.Join(err, fmt.Errorf("%s has %d, and had %d", name, count, before[name]))
			}
		}
		return err
	})
	now, _ := w.goroutines()
	w.t.Logf("goroutines before: %v, now: %v", before, now)
}
