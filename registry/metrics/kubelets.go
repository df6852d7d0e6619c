package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/registry/core/kubelets"
)

const (
	// fresh is how long an answer, or that there was none, counts: who asks more often gets the same again.
	fresh = 5 * time.Second
	// apart are two readings where there is none to compare with.
	apart = time.Second
	// patience is how long a kubelet may take for one of them.
	patience = 5 * time.Second
	// forgotten is what nobody has asked for in this time.
	forgotten = 5 * time.Minute
	// atOnce is how many kubelets are asked at a time by one question.
	atOnce = 64
	// most is how long an answer may be: a node of a thousand containers has a megabyte.
	most = 32 << 20
)

// Kubelets are Figures by asking kubelets. It holds nothing that nobody has asked for lately.
type Kubelets struct {
	to func(*corev1.Node) (*kubelets.Connection, error)

	mu    sync.Mutex
	nodes map[string]*node
	timer *time.Timer // set while nodes has something in it
}

// node is what is remembered of one.
type node struct {
	identity string        // of the machine, as it has been running
	wanted   time.Time     // when somebody asked last
	asked    time.Time     // when the kubelet's last answer came, or did not
	asking   chan struct{} // closed when the question that is under way has ended; nil if there is none
	last     *Figure       // by the last answer
	known    bool          // whether that is what was found when it was asked last
}

// NewKubelets asks over the connections that to knows.
func NewKubelets(to func(*corev1.Node) (*kubelets.Connection, error)) *Kubelets {
	return &Kubelets{to: to, nodes: map[string]*node{}}
}

// Of implements Figures. Nodes that do not answer in time, and those that have long been silent, are left out.
func (k *Kubelets) Of(ctx context.Context, nodes []*corev1.Node) map[string]*Figure {
	var mu sync.Mutex
	found := make(map[string]*Figure, len(nodes))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, n := range nodes {
		if lost(n) {
			continue
		}
		group.Go(guard.Func("finding what a node uses", func() error {
			if f := k.of(ctx, n); f != nil {
				mu.Lock()
				defer mu.Unlock()
				found[n.Name] = f
			}
			return nil
		}))
	}
	_ = group.Wait() // a panic is logged, and its node left out
	return found
}

// lost reports that the cluster has not heard of the node for so long that each question would only take all the time that it may.
func lost(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionUnknown
		}
	}
	return false
}

// of waits for the answer to a question that is fresh or under way, or asks.
func (k *Kubelets) of(ctx context.Context, n *corev1.Node) *Figure {
	m, asking := k.want(n)
	if asking != nil {
		select {
		case <-asking:
		case <-ctx.Done():
			return nil
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !m.known {
		return nil
	}
	return m.last
}

// want begins a question unless the last is fresh or one is under way. asking is nil if there is nothing to wait for.
func (k *Kubelets) want(n *corev1.Node) (m *node, asking chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, identity := time.Now(), string(n.UID)+" "+n.Status.NodeInfo.BootID
	m = k.nodes[n.Name]
	if m == nil || m.identity != identity {
		m = &node{identity: identity}
		k.nodes[n.Name] = m
	}
	m.wanted = now
	if k.timer == nil {
		k.timer = time.AfterFunc(forgotten, func() { guard.Do("forgetting what nodes used", k.forget) })
	}
	if m.asking == nil && (m.asked.IsZero() || now.Sub(m.asked) >= fresh) {
		k.begin(m, n, now)
	}
	return m, m.asking
}

// begin asks, whether those who wait for it still do at the end or not. k.mu is held.
func (k *Kubelets) begin(m *node, n *corev1.Node, now time.Time) {
	before := m.last
	if before != nil && now.Sub(before.at) > memorable {
		before = nil
	}
	m.asking = make(chan struct{})
	var f *Figure
	guard.GoThen("asking a kubelet what its Pods use", func() (err error) {
		f, err = k.ask(context.Background(), n, before)
		return err
	}, func(err error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if err != nil {
			klog.V(2).InfoS("A node is left out of metrics", "node", n.Name, "err", err)
		}
		if m.known = err == nil && f != nil; m.known {
			m.last = f
		}
		m.asked = time.Now()
		close(m.asking)
		m.asking = nil
	})
}

// ask reads once, or twice if there is nothing to compare with: who asks for the first time is to have an answer, not to come again.
func (k *Kubelets) ask(ctx context.Context, n *corev1.Node, before *Figure) (*Figure, error) {
	first, err := k.reading(ctx, n)
	if err != nil {
		return nil, err
	}
	f := before.after(first, time.Now())
	if before != nil {
		return f, nil
	}
	time.Sleep(apart)
	second, err := k.reading(ctx, n)
	if err != nil {
		return nil, err
	}
	return f.after(second, time.Now()), nil
}

// reading asks a kubelet once.
func (k *Kubelets) reading(ctx context.Context, n *corev1.Node) (*reading, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	to, err := k.to(n)
	if err != nil {
		return nil, err
	}
	at := url.URL{Scheme: "https", Host: to.Host(), Path: "/metrics/resource"}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := to.Transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("asking the kubelet of node %s: %w", n.Name, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the kubelet of node %s answers %s", n.Name, answer.Status)
	}
	return read(io.LimitReader(answer.Body, most), time.Now())
}

// forget drops what nobody has asked for lately, and comes again while something is left.
func (k *Kubelets) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, next := time.Now(), time.Duration(0)
	for name, m := range k.nodes {
		if left := forgotten - now.Sub(m.wanted); left > 0 {
			next = max(next, left)
		} else {
			delete(k.nodes, name)
		}
	}
	if k.timer = nil; len(k.nodes) > 0 {
		k.timer = time.AfterFunc(next, func() { guard.Do("forgetting what nodes used", k.forget) })
	}
}
