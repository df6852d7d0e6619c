package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/registry/core/kubelets"
)

// fleet is kubelets whose nodes, and the one container on each, use half a core, since an hour before it was made.
type fleet struct {
	began time.Time
	mu    sync.Mutex
	asked map[string]int
	state map[string]string // "dead", "ill" or "panics"; well unless set
}

func newFleet() *fleet {
	return &fleet{began: time.Now().Add(-time.Hour), asked: map[string]int{}, state: map[string]string{}}
}

func (f *fleet) to(n *corev1.Node) (*kubelets.Connection, error) {
	return &kubelets.Connection{Address: n.Name, Port: "10250", Transport: f}, nil
}

func (f *fleet) set(node, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state[node] = state
}

// took is how often a node was asked since it was last looked at.
func (f *fleet) took(node string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.asked[node]
	f.asked[node] = 0
	return n
}

func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.URL.Hostname()
	f.mu.Lock()
	f.asked[name]++
	state := f.state[name]
	f.mu.Unlock()
	answer := &http.Response{StatusCode: http.StatusOK, Status: "200 OK"}
	switch state {
	case "dead":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case "ill":
		answer.StatusCode, answer.Status = http.StatusInternalServerError, "500 Internal Server Error"
	case "panics":
		panic(name)
	}
	if r.URL.Path != "/metrics/resource" {
		return nil, errors.New(r.URL.Path)
	}
	now := time.Now()
	cpu := now.Sub(f.began).Seconds() / 2
	answer.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`node_cpu_usage_seconds_total %g %[2]d
node_memory_working_set_bytes 1e+08 %[2]d
container_cpu_usage_seconds_total{container="web",namespace="ns",pod="p"} %[1]g %[2]d
container_memory_working_set_bytes{container="web",namespace="ns",pod="p"} 1e+06 %[2]d
container_start_time_seconds{container="web",namespace="ns",pod="p"} %[3]d
`, cpu, now.UnixMilli(), f.began.Unix())))
	return answer, nil
}

func nodesCalled(names ...string) (nodes []*corev1.Node) {
	for _, name := range names {
		nodes = append(nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name + "-1")}})
	}
	return nodes
}

// expect is how long a question took, and over what the answer was measured.
func expect(t *testing.T, what string, k *Kubelets, node *corev1.Node, took, over time.Duration) {
	t.Helper()
	start := time.Now()
	f := k.Of(t.Context(), []*corev1.Node{node})[node.Name]
	if passed := time.Since(start); passed != took {
		t.Errorf("%s: it took %v, not %v", what, passed, took)
	}
	switch {
	case over == 0:
		if f != nil {
			t.Errorf("%s: the node is known: %v", what, f.Node)
		}
	case f == nil || f.Node == nil || len(f.Pod("ns", "p")) != 1:
		t.Errorf("%s: nothing is known", what)
	case f.Node.Window != over || f.Node.CPU < 499_000_000 || f.Node.CPU > 501_000_000 || f.Pod("ns", "p")[0].Window != over:
		t.Errorf("%s: %v, and %v, not half a core over %v", what, f.Node, f.Pod("ns", "p"), over)
	}
}

func TestKubeletsAreAskedWhenSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newFleet()
		k, node := NewKubelets(all.to), nodesCalled("n")[0]
		asked := func(what string, want int) {
			t.Helper()
			if n := all.took("n"); n != want {
				t.Errorf("%s: the kubelet was asked %d times, not %d", what, n, want)
			}
		}
		expect(t, "the first question", k, node, time.Second, time.Second)
		asked("the first question", 2)
		time.Sleep(4 * time.Second)
		expect(t, "a moment later", k, node, 0, time.Second)
		asked("a moment later", 0)
		time.Sleep(11 * time.Second)
		expect(t, "an autoscaler's next", k, node, 0, 15*time.Second)
		asked("an autoscaler's next", 1)
		time.Sleep(3 * time.Minute)
		expect(t, "minutes later", k, node, time.Second, time.Second)
		asked("minutes later", 2)

		again := node.DeepCopy()
		again.Status.NodeInfo.BootID = "2"
		expect(t, "after a boot", k, again, time.Second, time.Second)
		asked("after a boot", 2)

		time.Sleep(forgotten + time.Second)
		synctest.Wait()
		asked("nobody asks", 0)
		k.mu.Lock()
		defer k.mu.Unlock()
		if len(k.nodes) != 0 || k.timer != nil {
			t.Errorf("nobody asks, and this is held: %v, timer %v", k.nodes, k.timer)
		}
	})
}

func TestManyAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newFleet()
		k, node := NewKubelets(all.to), nodesCalled("n")[0]
		gone, cancel := context.WithCancel(t.Context())
		var askers sync.WaitGroup
		askers.Add(1)
		go func() { // the one that begins the question does not wait for its end
			defer askers.Done()
			if found := k.Of(gone, []*corev1.Node{node}); len(found) != 0 {
				t.Errorf("who went away got %v", found)
			}
		}()
		synctest.Wait()
		cancel()
		for range 20 {
			askers.Add(1)
			go func() {
				defer askers.Done()
				expect(t, "one of many", k, node, time.Second, time.Second)
			}()
		}
		askers.Wait()
		if n := all.took("n"); n != 2 {
			t.Errorf("the kubelet was asked %d times", n)
		}
		time.Sleep(forgotten)
	})
}

func TestNodesThatDoNotAnswerAreLeftOut(t *testing.T) {
	for state, takes := range map[string]time.Duration{"dead": patience, "ill": time.Second, "panics": time.Second} {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := newFleet()
				all.set("bad", state)
				k, nodes := NewKubelets(all.to), nodesCalled("good", "bad", "lost")
				nodes[2].Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
				start := time.Now()
				found := k.Of(t.Context(), nodes)
				if len(found) != 1 || found["good"] == nil || time.Since(start) != takes {
					t.Errorf("after %v found %v", time.Since(start), found)
				}
				if n := all.took("lost"); n != 0 {
					t.Errorf("the lost node was asked %d times", n)
				}
				expect(t, "at once again", k, nodes[1], 0, 0)
				all.set("bad", "")
				time.Sleep(fresh)
				expect(t, "well again", k, nodes[1], time.Second, time.Second)
				all.set("bad", state)
				time.Sleep(10 * time.Second)
				if found := k.Of(t.Context(), nodes[1:2]); len(found) != 0 {
					t.Errorf("old figures of a node that does not answer: %v", found)
				}
				all.set("bad", "")
				time.Sleep(10 * time.Second)
				f := k.Of(t.Context(), nodes[1:2])["bad"]
				if f == nil || f.Node == nil || f.Node.Window < 20*time.Second {
					t.Errorf("what was known before is lost: %v", f)
				}
				time.Sleep(forgotten + patience)
			})
		})
	}
}
