package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

// attack is one that can be made at any time. It says what it hit. What it ends that somebody must start again, as systemd would
// coracle, it starts again itself. An error is one of the attack, not of the cluster.
type attack struct {
	name string
	do   func(w *world, n *machines.Node, random *rand.Rand) (said string, err error)
}

var attacks = []attack{
	{"kill coracle", killCoracle},
	{"kill shims", kills("containerd-shim", 2)},
	{"kill runc", kills("runc", 1)},
	{"flush rules", flushRules},
	{"delete Service kubernetes", deleteService},
	{"delete leases", deleteLeases},
	{"fill disk", fillDisk},
	{"jump clock", jumpClock},
}

func possible(a attack) bool { return a.name != "jump clock" || runtime.GOARCH == "amd64" }

func (w *world) chosen() []attack {
	names, chosen := strings.Split(*only, ","), []attack(nil)
	for _, a := range attacks {
		if possible(a) && (*only == "" || slices.Contains(names, a.name)) {
			chosen = append(chosen, a)
		}
	}
	if len(chosen) == 0 {
		w.t.Fatalf("no attack is called %s", *only)
	}
	return chosen
}

func killCoracle(w *world, n *machines.Node, random *rand.Rand) (string, error) {
	if err := n.Kill(); err != nil {
		return "", err
	}
	away := time.Duration(random.IntN(5000)) * time.Millisecond
	time.Sleep(away)
	// A server that begins again while an agent's token is made, and the like, is the attack's own trouble: nodes have joined.
	return fmt.Sprintf("away for %s", away), n.Start(w.t.Context())
}

// kills ends processes of a name, as many as there are, at most so many.
func kills(name string, most int) func(*world, *machines.Node, *rand.Rand) (string, error) {
	return func(w *world, n *machines.Node, random *rand.Rand) (string, error) {
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			pids, err := named(n, name)
			if err != nil || len(pids) == 0 {
				continue
			}
			random.Shuffle(len(pids), func(i, j int) { pids[i], pids[j] = pids[j], pids[i] })
			pids = pids[:min(most, len(pids))]
			for _, pid := range pids {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
			return fmt.Sprint("processes ", pids), nil
		}
		return "there was none", nil
	}
}

// named are the processes on a node with a name, in our process namespace.
func named(n *machines.Node, name string) (pids []int, err error) {
	all, err := n.Processes()
	for _, pid := range all {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if is := strings.TrimSpace(string(comm)); err == nil && (is == name || strings.HasPrefix(is, name+"-") || strings.HasPrefix(name, is) && len(is) == 15) {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

func flushRules(w *world, n *machines.Node, _ *rand.Rand) (string, error) {
	for _, table := range []string{"nat", "filter", "mangle"} {
		if out, err := n.Output(await.Command(w.t, "iptables", "-w", "10", "-t", table, "-F")); err != nil {
			return out, err
		}
	}
	return "nat, filter and mangle", nil
}

func deleteService(w *world, _ *machines.Node, _ *rand.Rand) (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	service := w.client.CoreV1().Services("default").Delete(ctx, "kubernetes", metav1.DeleteOptions{})
	slice := w.client.DiscoveryV1().EndpointSlices("default").Delete(ctx, "kubernetes", metav1.DeleteOptions{})
	return fmt.Sprintf("Service: %v, EndpointSlice: %v", service, slice), nil
}

func deleteLeases(w *world, _ *machines.Node, random *rand.Rand) (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	if random.IntN(2) == 0 {
		err := w.client.CoreV1().Namespaces().Delete(ctx, "kube-node-lease", metav1.DeleteOptions{})
		return fmt.Sprintf("the namespace: %v", err), nil
	}
	err := w.client.CoordinationV1().Leases("kube-node-lease").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	return fmt.Sprintf("the leases: %v", err), nil
}

// fillDisk takes the last byte of the file system that all nodes share, for a while.
func fillDisk(w *world, n *machines.Node, random *rand.Rand) (string, error) {
	name := filepath.Join(w.Dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer os.Remove(name)
	defer f.Close()
	block, size := make([]byte, 1<<20), 0
	for len(block) > 0 {
		written, err := f.Write(block)
		size += written
		if err != nil {
			block = block[:len(block)/2]
		}
	}
	full := time.Duration(1+random.IntN(10)) * time.Second
	time.Sleep(full)
	return fmt.Sprintf("%d MiB for %s", size>>20, full), nil
}

// missing says that an object is gone or was never there, and no other error.
func missing(err error) bool { return apierrors.IsNotFound(err) }
