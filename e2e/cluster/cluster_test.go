// Package cluster tests control planes as a Go program starts them: several in one process, embedded or external etcd.
package cluster

import (
	"context"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
)

// start starts a control plane on a free port and returns when it is usable.
func start(t *testing.T, o cluster.Options) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	o.ControlPlaneOnly, o.HTTPSPort, o.BindAddress = true, -1, "127.0.0.1"
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	config, err := c.AdminConfig()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
	defer cancel()
	if err := cluster.WaitUsable(ctx, config, o, t.Logf); err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

func makeConfigMap(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func hasConfigMap(t *testing.T, client kubernetes.Interface, name string) bool {
	t.Helper()
	all, err := client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Items {
		if c.Name == name {
			return true
		}
	}
	return false
}

func TestClustersInOneProcessDoNotMix(t *testing.T) {
	_, one := start(t, cluster.Options{})
	_, two := start(t, cluster.Options{ServiceCIDR: "10.97.0.0/16"})
	makeConfigMap(t, one, "ones")
	makeConfigMap(t, two, "twos")
	if hasConfigMap(t, one, "twos") || hasConfigMap(t, two, "ones") {
		t.Error("an object of one cluster is seen in the other")
	}
	if !hasConfigMap(t, one, "ones") || !hasConfigMap(t, two, "twos") {
		t.Error("an object is missing where it was made")
	}
	for want, client := range map[string]kubernetes.Interface{"10.96.0.1": one, "10.97.0.1": two} {
		s, err := client.CoreV1().Services("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
		if err != nil || s.Spec.ClusterIP != want {
			t.Errorf("Service kubernetes has the address %q (%v), want %s", s.Spec.ClusterIP, err, want)
		}
	}
}

func TestStoppedClusterLeavesNoGoroutinesAndKeepsItsObjects(t *testing.T) {
	dir := t.TempDir()
	c, client := start(t, cluster.Options{DataDir: dir}) // the process's singletons are there from now on
	makeConfigMap(t, client, "kept")
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	base := settled(t, 0)
	for range 2 {
		c, client := start(t, cluster.Options{DataDir: dir})
		if !hasConfigMap(t, client, "kept") {
			t.Error("an object is lost")
		}
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	// A few may still be about to end; a leak is hundreds.
	if left := settled(t, base+50); left > base+50 {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d more than before\n%.20000s", left, left-base, stacks[:runtime.Stack(stacks, true)])
	}
}

// settled waits until there are at most so many goroutines or their number does not fall any more, and returns it.
func settled(t *testing.T, most int) int {
	t.Helper()
	now := runtime.NumGoroutine()
	for range 50 {
		if now <= most {
			break
		}
		runtime.GC()
		<-time.After(100 * time.Millisecond)
		before := now
		if now = runtime.NumGoroutine(); most == 0 && now == before {
			break
		}
	}
	return now
}
