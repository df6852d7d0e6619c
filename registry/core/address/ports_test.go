package address

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/coracle-k8s/coracle/await"
)

func nodePortService(ports ...corev1.ServicePort) *corev1.Service {
	return newService("s", func(s *corev1.ServiceSpec) { s.Type, s.Ports = corev1.ServiceTypeNodePort, ports })
}

func TestNodePorts(t *testing.T) {
	a, _ := newAllocator(t, manyPorts, "10.0.0.0/24")
	s := nodePortService(
		corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolTCP},
		corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolUDP, NodePort: 30053},
		corev1.ServicePort{Port: 80},
	)
	create(t, a, s)
	if p := s.Spec.Ports; p[0].NodePort != 30053 || p[1].NodePort != 30053 || p[2].NodePort < 30086 {
		t.Errorf("got %+v, want one port for both of number 53, and another above those for people", p)
	}
	for port, want := range map[int32]string{30053: "already allocated", 29999: "not in the valid range", 32768: "range of valid ports is 30000-32767"} {
		_, err := a.Create(t.Context(), nodePortService(corev1.ServicePort{Port: 1, NodePort: port}), false)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: got %v, want %q", port, err, want)
		}
	}
}

func TestHealthCheckPort(t *testing.T) {
	a, _ := newAllocator(t, manyPorts, "10.0.0.0/24")
	no := false
	local := func(s *corev1.ServiceSpec) {
		s.Type, s.ExternalTrafficPolicy, s.AllocateLoadBalancerNodePorts = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal, &no
	}
	s := newService("s", local)
	create(t, a, s)
	if s.Spec.Ports[0].NodePort != 0 || s.Spec.HealthCheckNodePort == 0 {
		t.Errorf("got %+v, want the health check's port only", s.Spec)
	}
	expectTaken(t, a, s.Spec.HealthCheckNodePort)
	taken := s.Spec.HealthCheckNodePort
	_, err := a.Create(t.Context(), newService("other", func(s *corev1.ServiceSpec) { local(s); s.HealthCheckNodePort = taken }), false)
	if !apierrors.IsInternalError(err) {
		t.Errorf("got %v, want that the port is taken", err)
	}
	old := s.DeepCopy()
	s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyCluster, 0
	finish, err := a.Update(t.Context(), s, old, false)
	if err != nil {
		t.Fatal(err)
	}
	finish(t.Context(), true)
	expectTaken(t, a)
}

func TestUpdateRefusesDuplicates(t *testing.T) {
	a, _ := newAllocator(t, manyPorts, "10.0.0.0/24")
	s := nodePortService(corev1.ServicePort{Port: 80, NodePort: 30001})
	create(t, a, s)
	changed := s.DeepCopy()
	changed.Spec.Ports = append(changed.Spec.Ports, corev1.ServicePort{Port: 81, Protocol: corev1.ProtocolTCP, NodePort: 30002}, corev1.ServicePort{Port: 82, Protocol: corev1.ProtocolTCP, NodePort: 30002})
	if _, err := a.Update(t.Context(), changed, s, false); err == nil {
		t.Error("a port was given twice")
	}
	expectTaken(t, a, 30001)
}

func TestAllNodePorts(t *testing.T) {
	a, _ := newAllocator(t, PortRange{30000, 40}, "10.0.0.0/24")
	for i := range 40 {
		s := nodePortService(corev1.ServicePort{Port: 80})
		if create(t, a, s); (s.Spec.Ports[0].NodePort < 30016) != (i >= 24) {
			t.Errorf("port %d is %d: those for people come last", i, s.Spec.Ports[0].NodePort)
		}
	}
	if _, err := a.Create(t.Context(), nodePortService(corev1.ServicePort{Port: 80}), false); !apierrors.IsInternalError(err) {
		t.Errorf("got %v, want that no port is left", err)
	}
}

func TestRepair(t *testing.T) {
	a, _ := newAllocator(t, manyPorts, "10.0.0.0/24")
	create(t, a, nodePortService(corev1.ServicePort{Port: 80, NodePort: 30005}))
	exists := nodePortService(corev1.ServicePort{Port: 80, NodePort: 30006})
	repair := func(want ...int32) {
		t.Helper()
		if err := a.Repair(t.Context(), []*corev1.Service{exists}); err != nil {
			t.Fatal(err)
		}
		expectTaken(t, a, want...)
	}
	repair(30005, 30006) // 30005 may be for a service that is about to be written
	repair(30006)
}

func TestRunRepairs(t *testing.T) {
	a, _ := newAllocator(t, manyPorts, "10.0.0.0/24")
	ctx, stop := context.WithCancel(t.Context())
	failed := errors.New("no services today")
	var reported error
	a.Run(ctx, func(context.Context) ([]*corev1.Service, error) { return nil, failed }, func(err error) { reported = err; stop() })
	if !errors.Is(reported, failed) {
		t.Errorf("reported %v", reported)
	}
}

func TestRecordOfAnotherRange(t *testing.T) {
	old := &bitmap{within: PortRange{30000, 100}}
	for _, port := range []int32{30000, 30050, 30099} {
		old.set(port, true)
	}
	record := &corev1.RangeAllocation{Range: old.within.String(), Data: old.bits.Bytes()}
	if got := takenIn(bitmapOf(record, PortRange{30050, 1000})); !slices.Equal(got, []int32{30050, 30099}) {
		t.Errorf("got %d", got)
	}
	record.Range = "nonsense"
	if got := takenIn(bitmapOf(record, PortRange{30050, 1000})); len(got) > 0 {
		t.Errorf("got %d of no range", got)
	}
}

// oneKey is as much of etcd as the record of ports needs.
type oneKey struct {
	clientv3.KV
	mu       sync.Mutex
	value    []byte
	revision int64
	writes   int
}

func (o *oneKey) Txn(context.Context) clientv3.Txn { return &oneTxn{key: o} }

func (o *oneKey) Get(context.Context, string, ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return (*clientv3.GetResponse)(o.answer()), nil
}

func (o *oneKey) answer() *etcdserverpb.RangeResponse {
	if o.revision == 0 {
		return &etcdserverpb.RangeResponse{}
	}
	return &etcdserverpb.RangeResponse{Kvs: []*mvccpb.KeyValue{{Value: slices.Clone(o.value), ModRevision: o.revision}}}
}

type oneTxn struct {
	clientv3.Txn
	key  *oneKey
	seen int64
	then []clientv3.Op
}

func (o *oneTxn) If(c ...clientv3.Cmp) clientv3.Txn {
	o.seen = c[0].GetCompare().GetModRevision()
	return o
}
func (o *oneTxn) Then(ops ...clientv3.Op) clientv3.Txn { o.then = ops; return o }
func (o *oneTxn) Else(...clientv3.Op) clientv3.Txn     { return o }

func (o *oneTxn) Commit() (*clientv3.TxnResponse, error) {
	o.key.mu.Lock()
	defer o.key.mu.Unlock()
	r := &clientv3.TxnResponse{Succeeded: o.key.revision == o.seen}
	if !r.Succeeded {
		r.Responses = []*etcdserverpb.ResponseOp{{Response: &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: o.key.answer()}}}
	} else if len(o.then) > 0 {
		o.key.value = o.then[0].ValueBytes()
		o.key.revision++
		o.key.writes++
	}
	r.Header = &etcdserverpb.ResponseHeader{Revision: o.key.revision}
	return r, nil
}

func TestServersShareOneRecord(t *testing.T) {
	key := &oneKey{}
	codec := scheme.Codecs.LegacyCodec(corev1.SchemeGroupVersion)
	var servers []*Allocator
	for range 4 {
		a, ips := newAllocator(t, PortRange{30000, 40}, "10.0.0.0/24")
		a.config.IPs, a.config.Ports = ips, InEtcd(key, PortsKey, codec)
		servers = append(servers, a)
	}
	var all sync.Map
	var done sync.WaitGroup
	for _, a := range servers {
		done.Go(func() {
			for range 10 {
				s := nodePortService(corev1.ServicePort{Port: 80})
				if _, err := a.Create(t.Context(), s, false); err != nil {
					t.Error(err)
				}
				if _, twice := all.LoadOrStore(s.Spec.Ports[0].NodePort, true); twice {
					t.Errorf("port %d was given twice", s.Spec.Ports[0].NodePort)
				}
			}
		})
	}
	await.Return(t, "all have their ports", done.Wait)
	writes := key.writes
	// A server that has not heard that others gave ports back finds out before it refuses.
	servers[0].freePorts(t.Context(), []int32{30005})
	create(t, servers[1], nodePortService(corev1.ServicePort{Port: 80, NodePort: 30005}))
	if _, err := servers[2].Create(t.Context(), nodePortService(corev1.ServicePort{Port: 80}), false); !apierrors.IsInternalError(err) {
		t.Errorf("got %v, want that no port is left", err)
	}
	if servers[3].freePorts(t.Context(), []int32{1}); key.writes != writes+2 {
		t.Errorf("%d writes, want 2: one that changes nothing is none", key.writes-writes)
	}
}
