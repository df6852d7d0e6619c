// Package node keeps the Node object of this machine: registers it, says what it has and how it is, and renews its
// lease.
package node

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/resources"
)

const (
	// heartbeat is how old a status may become that nothing has changed.
	heartbeat = 5 * time.Minute
	// lookEvery is how often the machine and the runtime are looked at once all is well.
	lookEvery = 10 * time.Second
	// lookSoon is how often while the node is not ready.
	lookSoon = 50 * time.Millisecond
)

// Config describes the node.
type Config struct {
	Name string
	// IPs are the node's addresses, the first the preferred one.
	IPs    []string
	Client kubernetes.Interface
	// Current returns the Node as last seen in the API, nil where it was not.
	Current func() *corev1.Node
	Runtime cri.RuntimeService
	Images  cri.ImageManagerService
	// SeenImages is told which images there are, each time they are listed; may be nil.
	SeenImages func([]*runtimeapi.Image)
	// RuntimeName and RuntimeVersion are what the runtime calls itself.
	RuntimeName, RuntimeVersion string
	Port                        int32
	Labels, Annotations         map[string]string
	Taints                      []corev1.Taint
	// Offer is what of the machine the node has for Pods.
	Offer          resources.Offer
	KubeletVersion string
	// Pressure returns which of memory, disk and process ids run short.
	Pressure func() Pressure
}

// Pressure says what the node runs short of.
type Pressure struct{ Memory, Disk, PIDs bool }

// Node keeps the Node object.
type Node struct {
	Config
	static corev1.NodeSystemInfo
	wake   chan struct{}
	ready  chan struct{} // closed when the API first holds a ready Node

	mu      sync.Mutex
	written *corev1.Node // as the API last answered
	at      time.Time
}

// New returns a node that is not registered yet.
func New(c Config) *Node {
	n := &Node{Config: c, wake: make(chan struct{}, 1), ready: make(chan struct{})}
	n.static = systemInfo(c)
	return n
}

// Ready is closed when the API has first accepted a Ready condition that is true.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Poke makes the node look at itself now.
func (n *Node) Poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Latest returns the Node as known here, nil before it was registered.
func (n *Node) Latest() *corev1.Node {
	n.mu.Lock()
	written := n.written
	n.mu.Unlock()
	if current := n.Current(); current != nil && len(current.Status.Allocatable) > 0 {
		return current
	}
	return written
}

// Run registers the node and keeps its status until ctx ends.
func (n *Node) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var leases guard.Group
	defer leases.Wait()
	defer cancel()
	if !n.register(ctx) {
		return
	}
	leases.Keep(ctx, "node lease", n.renewLease)
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-timer.C:
		}
		next := lookEvery
		ready, err := n.report(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			next = min(lookSoon<<min(failures, 8), lookEvery)
			klog.FromContext(ctx).Error(err, "Node status not written, trying again", "after", next)
		case !ready:
			failures = 0
			next = lookSoon
			select {
			case <-n.ready:
				next = time.Second
			default:
			}
		default:
			failures = 0
		}
		timer.Stop()
		timer.Reset(next)
	}
}

// register creates the Node, or brings an existing one's labels up to date; it returns false where ctx ended before.
func (n *Node) register(ctx context.Context) bool {
	for delay := lookSoon; ; delay = min(2*delay, lookEvery) {
		err := n.tryRegister(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		klog.FromContext(ctx).Error(err, "Node not registered, trying again", "after", delay)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(delay):
		}
	}
}

func (n *Node) tryRegister(ctx context.Context) error {
	annotations := map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
	maps.Copy(annotations, n.Annotations)
	fresh := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.labels(), Annotations: annotations},
		Spec:       corev1.NodeSpec{Taints: n.Taints},
	}
	status, _ := n.observe(ctx, nil)
	fresh.Status = status
	result, err := n.Client.CoreV1().Nodes().Create(ctx, fresh, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		result, err = n.adopt(ctx, fresh)
	}
	if err != nil {
		return fmt.Errorf("registering node %s: %w", n.Name, err)
	}
	n.mu.Lock()
	n.written, n.at = result, time.Time{}
	n.mu.Unlock()
	return nil
}

// adopt brings labels and annotations of a Node that exists up to date.
func (n *Node) adopt(ctx context.Context, fresh *corev1.Node) (*corev1.Node, error) {
	existing, err := n.Client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	labels, annotations := missing(fresh.Labels, existing.Labels), missing(n.Annotations, existing.Annotations)
	if len(labels)+len(annotations) == 0 {
		return existing, nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}})
	if err != nil {
		return nil, err
	}
	return n.Client.CoreV1().Nodes().Patch(ctx, n.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
}

// missing is what of wanted is not, or is another, in had.
func missing(wanted, had map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range wanted {
		if got, is := had[key]; !is || got != value {
			out[key] = value
		}
	}
	return out
}

// report writes the status where it changed or grew old. It returns whether the node is ready.
func (n *Node) report(ctx context.Context) (ready bool, err error) {
	n.mu.Lock()
	base, at := n.written, n.at
	n.mu.Unlock()
	if current := n.Current(); current != nil && (base == nil || newer(current, base)) {
		base = current
	}
	if base == nil || n.Current() == nil && !at.IsZero() && time.Since(at) > heartbeat {
		if err := n.tryRegister(ctx); err != nil {
			return false, err
		}
		n.mu.Lock()
		base = n.written
		n.mu.Unlock()
	}
	status, ready := n.observe(ctx, base)
	if !changed(base.Status, status) && time.Since(at) < heartbeat {
		return ready, nil
	}
	result, err := n.write(ctx, base, status)
	if apierrors.IsNotFound(err) {
		n.mu.Lock()
		n.written = nil
		n.mu.Unlock()
		return false, n.tryRegister(ctx)
	}
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.written, n.at = result, time.Now()
	if ready {
		select {
		case <-n.ready:
		default:
			close(n.ready)
		}
	}
	return ready, nil
}

func (n *Node) write(ctx context.Context, base *corev1.Node, status corev1.NodeStatus) (*corev1.Node, error) {
	before, err := json.Marshal(corev1.Node{Status: base.Status})
	if err != nil {
		return nil, fmt.Errorf("encoding status of node %s: %w", n.Name, err)
	}
	after, err := json.Marshal(corev1.Node{Status: status})
	if err != nil {
		return nil, fmt.Errorf("encoding status of node %s: %w", n.Name, err)
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Node{})
	if err != nil {
		return nil, fmt.Errorf("comparing statuses of node %s: %w", n.Name, err)
	}
	result, err := n.Client.CoreV1().Nodes().Patch(ctx, n.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return nil, fmt.Errorf("writing status of node %s: %w", n.Name, err)
	}
	return result, nil
}

// changed compares statuses but for the times of heartbeats.
func changed(a, b corev1.NodeStatus) bool {
	a.Conditions, b.Conditions = timeless(a.Conditions), timeless(b.Conditions)
	return !apiequality.Semantic.DeepEqual(a, b)
}

func timeless(in []corev1.NodeCondition) []corev1.NodeCondition {
	out := make([]corev1.NodeCondition, len(in))
	for i, c := range in {
		c.LastHeartbeatTime = metav1.Time{}
		out[i] = c
	}
	return out
}
