package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/resources"
)

// machine is a runtime that is ready or not.
type machine struct {
	cri.RuntimeService
	cri.ImageManagerService

	mu      sync.Mutex
	network bool
	err     error
}

func (m *machine) set(network bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.network, m.err = network, err
}

func (m *machine) Close(context.Context) error { return nil }

func (m *machine) Status(context.Context, bool) (*runtimeapi.StatusResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &runtimeapi.StatusResponse{Status: &runtimeapi.RuntimeStatus{Conditions: []*runtimeapi.RuntimeCondition{
		{Type: runtimeapi.RuntimeReady, Status: true}, {Type: runtimeapi.NetworkReady, Status: m.network, Reason: "NotYet"},
	}}}, m.err
}

func (m *machine) ListImages(context.Context, *runtimeapi.ImageFilter) ([]*runtimeapi.Image, error) {
	return []*runtimeapi.Image{{RepoTags: []string{"small"}, Size: 1}, {RepoTags: []string{"large"}, Size: 2}, {}}, nil
}

func TestANodeIsReadyWithItsRuntimeAndNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: corev1.NamespaceNodeLease}})
		m := &machine{}
		n := New(Config{
			Name: "n", IPs: []string{"10.0.0.1"}, Client: client, Current: func() *corev1.Node { return nil }, Runtime: m, Images: m,
			Labels: map[string]string{"own": "label"}, Offer: resources.Offer{Dir: "/", Pods: 110}, KubeletVersion: "v1.37.2", RuntimeName: "r", RuntimeVersion: "1",
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { n.Run(ctx); close(done) }()
		read := func() *corev1.Node {
			t.Helper()
			time.Sleep(20 * time.Second)
			node, err := client.CoreV1().Nodes().Get(ctx, "n", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return node
		}
		ready := func(node *corev1.Node) corev1.ConditionStatus {
			for _, c := range node.Status.Conditions {
				if c.Type == corev1.NodeReady {
					return c.Status
				}
			}
			return ""
		}
		node := read()
		if ready(node) != corev1.ConditionFalse || node.Labels[corev1.LabelHostname] != "n" || node.Labels["own"] != "label" {
			t.Errorf("at first: %s %v", ready(node), node.Labels)
		}
		m.set(true, nil)
		node = read()
		if ready(node) != corev1.ConditionTrue || node.Status.Allocatable.Pods().Value() != 110 || node.Status.NodeInfo.KubeletVersion != "v1.37.2" {
			t.Errorf("with a network: %s %v", ready(node), node.Status)
		}
		if !slices.Equal(node.Status.DeclaredFeatures, declared) || !slices.IsSorted(declared) {
			t.Errorf("declared features: %v", node.Status.DeclaredFeatures)
		}
		if len(node.Status.Images) != 2 || node.Status.Images[0].Names[0] != "large" {
			t.Errorf("images: %v", node.Status.Images)
		}
		select {
		case <-n.Ready():
		default:
			t.Error("not told to be ready")
		}
		m.set(true, errors.New("gone"))
		if node = read(); ready(node) != corev1.ConditionFalse {
			t.Errorf("without a runtime: %s", ready(node))
		}
		var lease *coordinationv1.Lease
		lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, "n", metav1.GetOptions{})
		if err != nil || *lease.Spec.HolderIdentity != "n" {
			t.Errorf("lease: %v %v", lease, err)
		}
		cancel()
		<-done
	})
}
