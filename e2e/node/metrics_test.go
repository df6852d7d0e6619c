package node

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/guard"
)

// TestUseIsShownAndFollowed: kubectl top answers at its first question, and an autoscaler gives a busy Deployment more Pods, an idle one fewer.
func TestUseIsShownAndFollowed(t *testing.T) {
	m := newMachine(t)
	m.up(t)
	m.run(t, append([]string{"image", "load", "--data-dir", m.dir}, images(t)...)...)
	m.kubectl(t, "create", "deployment", "web", "--image=web:v1", "--port=8080")
	m.kubectl(t, "set", "resources", "deployment/web", "--requests=cpu=10m")
	m.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s")
	for _, c := range []struct{ ask, want string }{
		{"top nodes --no-headers", "n1 "},
		{"top pods --containers --no-headers", " web "},
		{"top pods --selector=app=web --no-headers", "web-"},
		{"get nodes.metrics.k8s.io", "WINDOW"},
	} {
		began := time.Now()
		out := m.kubectl(t, strings.Fields(c.ask)...)
		t.Logf("kubectl %s, after %v:\n%s", c.ask, time.Since(began).Round(time.Millisecond), out)
		if !strings.Contains(out, c.want) {
			t.Errorf("kubectl %s has no %q:\n%s", c.ask, c.want, out)
		}
	}

	pods, err := m.client(t).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("pods: %v, %v", pods, err)
	}
	busy := "http://" + pods.Items[len(pods.Items)-1].Status.PodIP + ":8080/"
	var load guard.Group
	stop := make(chan struct{})
	idle := sync.OnceFunc(func() {
		close(stop)
		load.Wait()
	})
	load.Go("load", func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if answer, err := http.Get(busy); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		}
	})
	defer idle()
	m.kubectl(t, "autoscale", "deployment", "web", "--cpu=20%", "--min=1", "--max=3")
	m.kubectl(t, "wait", "--for=jsonpath={.spec.replicas}=3", "deployment/web", "--timeout=120s")
	if out := m.kubectl(t, "get", "hpa", "web", "-o", "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}"); out == "" {
		t.Error("the autoscaler does not tell what it measured")
	}
	m.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s")

	idle()
	m.kubectl(t, "patch", "hpa", "web", "--patch", `{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":0}}}}`)
	m.kubectl(t, "wait", "--for=jsonpath={.spec.replicas}=1", "deployment/web", "--timeout=120s")
}
