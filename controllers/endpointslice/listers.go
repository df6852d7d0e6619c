package endpointslice

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the library asks for, on top of the shared cache.

type nodeLister struct{ reader client.Reader }

var _ corelisters.NodeLister = nodeLister{}

func (l nodeLister) List(selector labels.Selector) ([]*corev1.Node, error) {
	var list corev1.NodeList
	if err := l.reader.List(context.Background(), &list, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	return pointers(list.Items), nil
}

func (l nodeLister) Get(name string) (*corev1.Node, error) {
	var node corev1.Node
	if err := l.reader.Get(context.Background(), client.ObjectKey{Name: name}, &node); err != nil {
		return nil, err
	}
	return &node, nil
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

// recorder passes the library's Events of the older form on to the newer API.
type recorder struct{ to events.EventRecorder }

var _ record.EventRecorder = recorder{}

func (r recorder) Event(o runtime.Object, kind, reason, message string) {
	r.Eventf(o, kind, reason, "%s", message)
}

func (r recorder) Eventf(o runtime.Object, kind, reason, format string, args ...any) {
	r.to.Eventf(o, nil, kind, reason, "Reconcile", format, args...)
}

func (r recorder) AnnotatedEventf(o runtime.Object, _ map[string]string, kind, reason, format string, args ...any) {
	r.Eventf(o, kind, reason, format, args...)
}
