package objects

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/guard"
)

// Watched is a source that watches each object that a Pod of the node refers to, and no other: all that the API
// lets a node on another machine read.
type Watched struct {
	*index
	ctx    context.Context
	client kubernetes.Interface

	watchMu sync.Mutex
	watches map[ref]*watch
}

type watch struct {
	stop     context.CancelFunc
	informer atomic.Pointer[cache.SharedIndexInformer]
}

// NewWatched returns a source that reads as the client. Its watches end with ctx.
func NewWatched(ctx context.Context, client kubernetes.Interface) *Watched {
	return &Watched{index: newIndex(), ctx: ctx, client: client, watches: map[ref]*watch{}}
}

// Follow watches what the Pod refers to.
func (w *Watched) Follow(pod *corev1.Pod) {
	w.apply(w.set(pod.UID, refsOf(pod)))
}

// Forget ends watches that no other Pod needs.
func (w *Watched) Forget(pod types.UID) {
	w.apply(w.set(pod, nil))
}

func (w *Watched) apply(first, unused []ref) {
	w.watchMu.Lock()
	defer w.watchMu.Unlock()
	for _, r := range unused {
		if known := w.watches[r]; known != nil {
			known.stop()
			delete(w.watches, r)
		}
	}
	for _, r := range first {
		if w.watches[r] != nil {
			continue
		}
		ctx, stop := context.WithCancel(w.ctx)
		known := &watch{stop: stop}
		w.watches[r] = known
		guard.GoKeep(ctx, "watch an object of a Pod", func(ctx context.Context) {
			informer := w.informer(r) // each runs once only
			known.informer.Store(&informer)
			informer.RunWithContext(ctx)
		})
	}
}

func (w *Watched) informer(r ref) cache.SharedIndexInformer {
	var example runtime.Object = &corev1.ConfigMap{}
	rest := w.client.CoreV1().RESTClient()
	if r.kind == secret {
		example = &corev1.Secret{}
	}
	informer := cache.NewSharedIndexInformer(
		cache.NewListWatchFromClient(rest, string(r.kind), r.namespace, fields.OneTermEqualSelector(metav1.ObjectNameField, r.name)),
		example, 0, nil)
	changed := func(any) { guard.Insist("tell Pods of a changed object", func() { w.changed(r) }) }
	// Only a stopped informer refuses a handler.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: changed, UpdateFunc: func(_, obj any) { changed(obj) }, DeleteFunc: changed,
	})
	return informer
}

// cached returns an object from its watch; ok is false where the watch has not read it yet, or where it is not there:
// the API has the last word on that.
func (w *Watched) cached(r ref) (obj any, ok bool) {
	w.watchMu.Lock()
	known := w.watches[r]
	w.watchMu.Unlock()
	if known == nil {
		return nil, false
	}
	informer := known.informer.Load()
	if informer == nil || !(*informer).HasSynced() {
		return nil, false
	}
	obj, ok, err := (*informer).GetStore().GetByKey(r.namespace + "/" + r.name)
	return obj, ok && err == nil
}

// ConfigMap returns the watched object, or reads it.
func (w *Watched) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	if obj, ok := w.cached(ref{configMap, namespace, name}); ok {
		return obj.(*corev1.ConfigMap), nil
	}
	cm, err := w.client.CoreV1().ConfigMaps(namespace).Get(w.ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading config map %s/%s: %w", namespace, name, err)
	}
	return cm, nil
}

// Secret returns the watched object, or reads it.
func (w *Watched) Secret(namespace, name string) (*corev1.Secret, error) {
	if obj, ok := w.cached(ref{secret, namespace, name}); ok {
		return obj.(*corev1.Secret), nil
	}
	s, err := w.client.CoreV1().Secrets(namespace).Get(w.ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading secret %s/%s: %w", namespace, name, err)
	}
	return s, nil
}
