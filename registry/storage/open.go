package storage

import (
	"context"
	"fmt"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apistorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"
)

// open is the library's StorageDecorator: etcd, the tee and the watch cache above them, resuming watches above those, and
// checks of what is asked above all.
func (s *Stores) open(c *storagebackend.ConfigForResource, resourcePrefix string,
	keyFunc func(runtime.Object) (string, error), newFunc, newListFunc func() runtime.Object,
	attributes apistorage.AttrFunc, triggers apistorage.IndexerFuncs, indexers *cache.Indexers) (apistorage.Interface, factory.DestroyFunc, error) {

	versioner := apistorage.APIObjectVersioner{}
	client := sharing(s.Backend.Client.Client) // of its own only to count latencies
	client.KV = etcd3.NewETCDLatencyTracker(client.KV)
	etcd, err := etcd3.New(kubernetesClient(client), s.Backend.compactor, c.Codec, newFunc, newListFunc, c.Prefix, resourcePrefix,
		c.GroupResource, etcd3.WithCorruptObjErrorHandlingTransformer(s.Encryption.of(c.GroupResource)), c.LeaseManagerConfig,
		etcd3.WithCorruptObjErrorHandlingDecoder(plainDecoder{etcd3.NewDefaultDecoder(c.Codec, versioner)}), versioner)
	if err != nil {
		return nil, nil, fmt.Errorf("opening etcd for %s: %w", c.GroupResource, err)
	}
	// What cannot be read any more, because its key is lost, say, can be deleted by who may and says so.
	deletable := etcd3.NewStoreWithUnsafeCorruptObjectDeletion(etcd, c.GroupResource)
	source := s.Tee.Source(newFunc(), deletable, attributes)
	clock := newBookmarkClock()
	cached, err := cacher.NewCacherFromConfig(cacher.Config{
		Storage: counted{source, keyFunc}, Versioner: versioner, GroupResource: c.GroupResource, EventsHistoryWindow: c.EventsHistoryWindow,
		ResourcePrefix: resourcePrefix, KeyFunc: keyFunc, NewFunc: newFunc, NewListFunc: newListFunc, GetAttrsFunc: attributes,
		IndexerFuncs: triggers, Indexers: indexers, Codec: c.Codec, Clock: clock,
	})
	if err != nil {
		source.Close()
		etcd.Close()
		return nil, nil, fmt.Errorf("opening the watch cache of %s: %w", c.GroupResource, err)
	}
	reads := cacher.NewCacheDelegator(cached, deletable)
	var once sync.Once
	return checked{&resuming{reads, deletable, source, clock}}, func() {
		once.Do(func() {
			reads.Stop()
			cached.Stop()
			source.Close()
			etcd.Close()
		})
	}, nil
}

// sharing is another client on the same connection. It has no endpoints of its own, and need not be closed.
func sharing(c *clientv3.Client) *clientv3.Client {
	own := clientv3.NewCtxClient(c.Ctx())
	own.Cluster, own.KV, own.Lease, own.Watcher, own.Auth, own.Maintenance = c.Cluster, c.KV, c.Lease, c.Watcher, c.Auth, c.Maintenance
	return own
}

// plainDecoder clears the kind of decoded objects, as conversion to an internal type would: the library leaves it in
// objects that it decodes in place.
type plainDecoder struct{ etcd3.Decoder }

func (d plainDecoder) Decode(value []byte, into runtime.Object, revision int64) error {
	err := d.Decoder.Decode(value, into, revision)
	if err == nil {
		clearKind(into)
	}
	return err
}

func (d plainDecoder) DecodeListItem(ctx context.Context, data []byte, revision uint64, newItem func() runtime.Object) (runtime.Object, error) {
	item, err := d.Decoder.DecodeListItem(ctx, data, revision, newItem)
	if err == nil {
		clearKind(item)
	}
	return item, err
}

func clearKind(o runtime.Object) {
	if _, ok := o.(runtime.Unstructured); !ok {
		o.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
}
