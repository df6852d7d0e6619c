package storage

import (
	"context"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	apistorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/etcd3"

	"github.com/coracle-k8s/coracle/apis/scheme"
	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/registry/tee"
)

// What the watch caches ask etcd is not answered to watches that resume from its history.
func TestResumedWatchSeesNoProgressOfOthers(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	defer cancel()
	b, err := Embedded(ctx, t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	etcd := configMaps(t, b)
	put := func(name string) string {
		t.Helper()
		o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n"}}
		if err := etcd.Create(ctx, "/configmaps/n/"+name, o, o, 0); err != nil {
			t.Fatal(err)
		}
		return o.ResourceVersion
	}
	begin := put("first")
	put("second")
	options := apistorage.ListOptions{ResourceVersion: begin, Recursive: true, Predicate: apistorage.Everything}
	cache, err := etcd.Watch(ctx, "/configmaps/", options)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Stop()
	resumed, err := (&resuming{etcd: etcd, cached: &tee.Source{}}).Watch(ctx, "/configmaps/", options)
	if err != nil {
		t.Fatal(err)
	}
	defer resumed.Stop()
	if e := await.Receive(t, resumed.ResultChan(), "the first event"); e.Type != watch.Added {
		t.Fatalf("the first event is %s", e.Type)
	}
	await.Match(t, cache.ResultChan(), "the answer, when etcd has told all else", func(e watch.Event) bool {
		if err := etcd.RequestWatchProgress(ctx); err != nil {
			t.Fatal(err)
		}
		return e.Type == watch.Bookmark
	})
	put("third")
	if e := await.Receive(t, resumed.ResultChan(), "the second event"); e.Type != watch.Added {
		t.Errorf("the second event is %s", e.Type)
	}
}

// A resumed watch of what never changes must learn new revisions before its own is compacted.
func TestResumedWatchHasBookmarks(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	defer cancel()
	b, err := Embedded(ctx, t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if interval := v3rpc.GetProgressReportInterval(); interval > 2*time.Minute {
		t.Errorf("etcd tells its revision every %v, but drops revisions after 5 minutes", interval)
	}
	for range 2 { // and then nothing happens any more
		if _, err := b.Client.Put(ctx, "/elsewhere", ""); err != nil {
			t.Fatal(err)
		}
	}
	v3rpc.SetProgressReportInterval(10 * time.Millisecond)
	defer v3rpc.SetProgressReportInterval(time.Minute)
	options := apistorage.ListOptions{ResourceVersion: "1", Recursive: true, Predicate: apistorage.Everything}
	options.Predicate.AllowWatchBookmarks = true
	resumed, err := (&resuming{etcd: configMaps(t, b), cached: &tee.Source{}}).Watch(ctx, "/configmaps/", options)
	if err != nil {
		t.Fatal(err)
	}
	defer resumed.Stop()
	if e := await.Receive(t, resumed.ResultChan(), "a bookmark"); e.Type != watch.Bookmark {
		t.Errorf("the first event is %s", e.Type)
	}
}

// configMaps is etcd without a watch cache.
func configMaps(t *testing.T, b *Backend) apistorage.Interface {
	t.Helper()
	gr := schema.GroupResource{Resource: "configmaps"}
	types, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	codec, _, err := BuiltIn(types.Codecs, corev1.SchemeGroupVersion, gr)
	if err != nil {
		t.Fatal(err)
	}
	versioner := apistorage.APIObjectVersioner{}
	s, err := etcd3.New(b.Client, b.compactor, codec, func() runtime.Object { return &corev1.ConfigMap{} },
		func() runtime.Object { return &corev1.ConfigMapList{} }, Root, "/configmaps/", gr, (*Encryption)(nil).of(gr),
		etcd3.NewDefaultLeaseManagerConfig(), etcd3.NewDefaultDecoder(codec, versioner), versioner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// watchCache stands for a watch cache, and tells from where it was watched.
type watchCache struct {
	apistorage.Interface
	from chan string
}

func (c watchCache) Watch(ctx context.Context, key string, o apistorage.ListOptions) (watch.Interface, error) {
	c.from <- o.ResourceVersion
	return c.Interface.Watch(ctx, key, o)
}

// history tells when a watch of it is stopped.
type history struct {
	apistorage.Interface
	stopped chan struct{}
}

func (h history) Watch(ctx context.Context, key string, o apistorage.ListOptions) (watch.Interface, error) {
	w, err := h.Interface.Watch(ctx, key, o)
	return stopping{w, h.stopped}, err
}

type stopping struct {
	watch.Interface
	stopped chan struct{}
}

func (s stopping) Stop() { s.Interface.Stop(); close(s.stopped) }

// A watch from before a restart costs as much as others again once it has been told what it missed.
func TestResumedWatchGoesOverToTheCache(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	defer cancel()
	b, err := Embedded(ctx, t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	etcd := configMaps(t, b)
	put := func(name string) string {
		t.Helper()
		o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n"}}
		if err := etcd.Create(ctx, "/configmaps/n/"+name, o, o, 0); err != nil {
			t.Fatal(err)
		}
		return o.ResourceVersion
	}
	begin := put("a")
	put("b")
	last := put("c")
	types, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	source := tee.New(types.Scheme, false).Source(&corev1.ConfigMap{}, etcd, apistorage.DefaultNamespaceScopedAttr)
	if err := source.GetList(ctx, "/configmaps/", apistorage.ListOptions{Recursive: true, Predicate: apistorage.Everything}, &corev1.ConfigMapList{}); err != nil {
		t.Fatal(err)
	}
	from, stopped := make(chan string, 1), make(chan struct{})
	w, err := (&resuming{Interface: watchCache{etcd, from}, etcd: history{etcd, stopped}, cached: source, bookmarks: newBookmarkClock()}).
		Watch(ctx, "/configmaps/", apistorage.ListOptions{ResourceVersion: begin, Recursive: true, Predicate: apistorage.Everything})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	next := func(want string) {
		t.Helper()
		e := await.Receive(t, w.ResultChan(), "the event of "+want)
		if o, ok := e.Object.(*corev1.ConfigMap); !ok || o.Name != want || e.Type != watch.Added {
			t.Errorf("got %+v, not %s", e, want)
		}
	}
	next("b")
	next("c")
	await.Receive(t, stopped, "the watch of history ended")
	if at := await.Receive(t, from, "the cache was watched"); at != last {
		t.Errorf("it goes on from %s, not %s", at, last)
	}
	put("d")
	next("d")
	w.Stop()
	if e, more := <-w.ResultChan(); more {
		t.Errorf("after its end: %+v", e)
	}
}
