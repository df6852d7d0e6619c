package tee

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// CacheOptions make a controller-runtime cache whose informers share the hub's objects. transport sends requests as the
// cache's user, who must be allowed to list what is cached: one small list request precedes each list. Objects are read
// only, and their kind and apiVersion are empty.
func (h *Hub) CacheOptions(transport http.RoundTripper) cache.Options {
	share := true
	return cache.Options{
		Scheme:                       clientscheme.Scheme, // the server's scheme has two kinds for each type
		HTTPClient:                   &http.Client{Transport: probing{transport}},
		DefaultUnsafeDisableDeepCopy: &share,
		NewInformer: func(lw toolscache.ListerWatcher, example runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
			return &informer{toolscache.NewSharedIndexInformer(h.listerWatcher(lw, example), example, resync, indexers)}
		},
	}
}

// listerWatcher is the hub's for kinds that the server holds in that very form, and remote for the others: versions that
// are not their storage's hub, typed clients of custom resources, unstructured clients of built-in kinds.
func (h *Hub) listerWatcher(remote toolscache.ListerWatcher, example runtime.Object) toolscache.ListerWatcher {
	gvk, err := apiutil.GVKForObject(example, clientscheme.Scheme)
	if err != nil {
		return remote
	}
	if gvk.Group == apiextensions.GroupName || gvk.Group == apiregistration.GroupName {
		return remote // their libraries keep them in stores of their own
	}
	_, metaOnly := example.(*metav1.PartialObjectMetadata)
	_, dynamic := example.(*unstructured.Unstructured)
	builtIn := clientscheme.Scheme.Recognizes(gvk)
	if builtIn && (dynamic || !h.Has(gvk)) || !builtIn && !dynamic && !metaOnly {
		return remote
	}
	lw := toolscache.ToListerWatcherWithContext(remote)
	return &listWatch{
		kind:  h.kind(gvk),
		scope: func() (*scope, error) { return probe(lw, metaOnly) },
		ask: func(ctx context.Context) error {
			_, err := lw.ListWithContext(ctx, metav1.ListOptions{Limit: 1})
			return err
		},
	}
}

// informer keeps transforms away from shared objects.
type informer struct{ toolscache.SharedIndexInformer }

// SetTransform makes a copy of each object for f to change: such an informer shares nothing.
func (i *informer) SetTransform(f toolscache.TransformFunc) error {
	if f == nil {
		return nil
	}
	return i.SharedIndexInformer.SetTransform(func(o any) (any, error) {
		if shared, ok := o.(runtime.Object); ok {
			o = shared.DeepCopyObject()
		}
		return f(o)
	})
}

type probeKey struct{}

var errProbe = errors.New("probing")

// probing lets a list request tell what it would ask for, without asking.
type probing struct{ http.RoundTripper }

func (p probing) RoundTrip(r *http.Request) (*http.Response, error) {
	if seen, ok := r.Context().Value(probeKey{}).(**http.Request); ok {
		*seen = r
		return nil, errProbe
	}
	return p.RoundTripper.RoundTrip(r)
}

// probe learns namespace and selectors from controller-runtime's own ListWatch, whose fields are not accessible.
func probe(lw toolscache.ListerWatcherWithContext, metaOnly bool) (*scope, error) {
	var r *http.Request
	_, err := lw.ListWithContext(context.WithValue(context.Background(), probeKey{}, &r), metav1.ListOptions{})
	if r == nil {
		return nil, err
	}
	s := &scope{metaOnly: metaOnly}
	if _, after, ok := strings.Cut(r.URL.Path, "/namespaces/"); ok {
		s.namespace, _, _ = strings.Cut(after, "/") // a resource follows: this is a list
	}
	query := r.URL.Query()
	label, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return nil, err
	}
	field, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return nil, err
	}
	s.selector, s.all = storage.SelectionPredicate{Label: label, Field: field}, label.Empty() && field.Empty()
	return s, nil
}
