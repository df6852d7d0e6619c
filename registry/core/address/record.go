package address

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Record keeps which ports are taken.
type Record interface {
	// Change lets change work on a copy of the record and writes it, again from the start if another writer came first.
	// Errors of change are returned as they are, and nothing is written.
	Change(ctx context.Context, change func(*corev1.RangeAllocation) error) error
	// Read returns the record; the caller owns it.
	Read(ctx context.Context) (*corev1.RangeAllocation, error)
}

// change lets f work on the bitmap of taken ports; on a copy that is thrown away in a dry run.
func (a *Allocator) change(ctx context.Context, dryRun bool, f func(*bitmap) error) error {
	within := a.config.NodePorts
	if dryRun {
		record, err := a.config.Ports.Read(ctx)
		if err != nil {
			return err
		}
		return f(bitmapOf(record, within))
	}
	return a.config.Ports.Change(ctx, func(record *corev1.RangeAllocation) error {
		b := bitmapOf(record, within)
		if err := f(b); err != nil {
			return err
		}
		record.Range, record.Data = within.String(), b.bits.Bytes()
		return nil
	})
}

func (a *Allocator) freePorts(ctx context.Context, ports []int32) {
	if len(ports) == 0 {
		return
	}
	// The request may have ended; what is not given back now waits for the repair.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	_ = a.change(ctx, false, func(b *bitmap) error {
		for _, port := range ports {
			b.set(port, false)
		}
		return nil
	})
}

// A bitmap has a bit for each port of a range.
type bitmap struct {
	within PortRange
	bits   big.Int
}

// bitmapOf reads a record. One of another range is translated.
func bitmapOf(record *corev1.RangeAllocation, within PortRange) *bitmap {
	b := &bitmap{within: within}
	if record.Range == within.String() || record.Range == "" {
		b.bits.SetBytes(record.Data)
		return b
	}
	old := &bitmap{}
	if _, err := fmt.Sscanf(record.Range, "%d-%d", &old.within.First, &old.within.Size); err != nil {
		return b // no range: a repair fills it in
	}
	old.within.Size -= old.within.First - 1
	old.bits.SetBytes(record.Data)
	for port := within.First; port < within.First+within.Size; port++ {
		b.set(port, old.contains(port) && old.taken(port))
	}
	return b
}

func (b *bitmap) contains(port int32) bool {
	return port >= b.within.First && port < b.within.First+b.within.Size
}

func (b *bitmap) taken(port int32) bool { return b.bits.Bit(int(port-b.within.First)) == 1 }

func (b *bitmap) set(port int32, taken bool) {
	if !b.contains(port) {
		return
	}
	var bit uint
	if taken {
		bit = 1
	}
	b.bits.SetBit(&b.bits, int(port-b.within.First), bit)
}

// memory is a record of one process.
type memory struct {
	mu     sync.Mutex
	record corev1.RangeAllocation
}

func (m *memory) Read(context.Context) (*corev1.RangeAllocation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record.DeepCopy(), nil
}

func (m *memory) Change(_ context.Context, change func(*corev1.RangeAllocation) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := m.record.DeepCopy()
	if err := change(changed); err != nil {
		return err
	}
	m.record = *changed
	return nil
}

// PortsKey is where upstream keeps the record, below the root of all keys.
const PortsKey = "/ranges/servicenodeports"

// InEtcd keeps the record at a key, written with the codec. All servers of a cluster share it.
func InEtcd(client clientv3.KV, key string, codec runtime.Codec) Record {
	return &etcd{client: client, key: key, codec: codec}
}

type etcd struct {
	client clientv3.KV
	key    string
	codec  runtime.Codec

	mu       sync.Mutex
	record   *corev1.RangeAllocation // as last seen
	revision int64
}

func (e *etcd) Read(ctx context.Context) (*corev1.RangeAllocation, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	answer, err := e.client.Get(ctx, e.key)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", e.key, err)
	}
	if err := e.remember((*clientv3.GetResponse)(answer)); err != nil {
		return nil, err
	}
	return e.record.DeepCopy(), nil
}

func (e *etcd) Change(ctx context.Context, change func(*corev1.RangeAllocation) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.record == nil {
		e.record = &corev1.RangeAllocation{} // no such key: the first write tells if that is wrong
	}
	for fresh := false; ; fresh = true {
		changed := e.record.DeepCopy()
		failed := change(changed)
		if failed != nil && fresh {
			return failed
		}
		same := changed.Range == e.record.Range && bytes.Equal(changed.Data, e.record.Data)
		done, err := e.write(ctx, changed, failed == nil && !same)
		if err != nil {
			return err
		}
		if done {
			return failed
		}
	}
}

// write reports whether the record was as last seen, and puts the changed one if it was. If not it is read anew.
func (e *etcd) write(ctx context.Context, changed *corev1.RangeAllocation, put bool) (bool, error) {
	var then []clientv3.Op
	if put {
		value, err := runtime.Encode(e.codec, changed)
		if err != nil {
			return false, fmt.Errorf("encoding the record of node ports: %w", err)
		}
		then = []clientv3.Op{clientv3.OpPut(e.key, string(value))}
	}
	answer, err := e.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(e.key), "=", e.revision)).Then(then...).Else(clientv3.OpGet(e.key)).Commit()
	switch {
	case err != nil:
		return false, fmt.Errorf("writing %s: %w", e.key, err)
	case !answer.Succeeded:
		return false, e.remember((*clientv3.GetResponse)(answer.Responses[0].GetResponseRange()))
	case put:
		e.record, e.revision = changed, answer.Header.Revision
	}
	return true, nil
}

func (e *etcd) remember(answer *clientv3.GetResponse) error {
	e.record, e.revision = &corev1.RangeAllocation{ObjectMeta: metav1.ObjectMeta{}}, 0
	if len(answer.Kvs) == 0 {
		return nil
	}
	if err := runtime.DecodeInto(e.codec, answer.Kvs[0].Value, e.record); err != nil {
		return fmt.Errorf("decoding %s: %w", e.key, err)
	}
	e.revision = answer.Kvs[0].ModRevision
	return nil
}
