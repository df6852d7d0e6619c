package storage

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"google.golang.org/grpc/metadata"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	apistorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/registry/tee"
)

// open is the library's StorageDecorator: etcd, the tee and the watch cache above them, resuming watches above those, and
// checks of what is asked above all.
func (s *Stores) open(c *storagebackend.ConfigForResource, resourcePrefix string,
	keyFunc func(runtime.Object) (string, error), newFunc, newListFunc func() runtime.Object,
	attributes apistorage.AttrFunc, triggers apistorage.IndexerFuncs, indexers *cache.Indexers) (apistorage.Interface, factory.DestroyFunc, error) {

	versioner := apistorage.APIObjectVersioner{}
	client := *s.Backend.Client.Client // of its own only to count latencies
	client.KV = etcd3.NewETCDLatencyTracker(client.KV)
	etcd, err := etcd3.New(kubernetesClient(&client), s.Backend.compactor, c.Codec, newFunc, newListFunc, c.Prefix, resourcePrefix,
		c.GroupResource, s.Encryption.of(c.GroupResource), c.LeaseManagerConfig, plainDecoder{etcd3.NewDefaultDecoder(c.Codec, versioner)}, versioner)
	if err != nil {
		return nil, nil, fmt.Errorf("opening etcd for %s: %w", c.GroupResource, err)
	}
	source := s.Tee.Source(newFunc(), etcd, attributes)
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
	reads := cacher.NewCacheDelegator(cached, etcd)
	var once sync.Once
	return checked{&resuming{reads, etcd, source, clock}}, func() {
		once.Do(func() {
			reads.Stop()
			cached.Stop()
			source.Close()
			etcd.Close()
		})
	}, nil
}

// resuming serves a watch that begins before the watch cache does from etcd's own history, which reaches back to the last
// compaction. So nobody needs to list again after a restart of the server; the watch cache alone answers 410 there.
type resuming struct {
	apistorage.Interface // the watch cache
	etcd                 apistorage.Interface
	cached               *tee.Source
	bookmarks            *bookmarkClock
}

func (r *resuming) Watch(ctx context.Context, key string, o apistorage.ListOptions) (watch.Interface, error) {
	from, err := strconv.ParseUint(o.ResourceVersion, 10, 64)
	initial := o.SendInitialEvents != nil && *o.SendInitialEvents
	if oldest := r.cached.Oldest(); err == nil && from > 0 && !initial && (oldest == 0 || from < oldest) {
		o.ProgressNotify = o.Predicate.AllowWatchBookmarks
		return r.etcd.Watch(apart(ctx), key, o)
	}
	r.bookmarks.watched(ctx)
	return r.Interface.Watch(ctx, key, o)
}

// apart keeps a watch off the stream that the watch caches have to etcd. When they ask there how far etcd is, it tells all
// watches of the stream: also those without bookmarks, and one that has just begun before it is told what happened until then.
func apart(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "source", "resumed")
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
