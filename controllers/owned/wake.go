package owned

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// Wake makes an event of an object wake its controller, if that is of the given kind, or, if it has none, every owner
// that candidates names: those that may want to adopt it.
func Wake(kind string, candidates func(ctx context.Context, orphan client.Object) []reconcile.Request) handler.EventHandler {
	return loop.ToRequests(func(ctx context.Context, o client.Object) []reconcile.Request {
		owner := metav1.GetControllerOfNoCopy(o)
		switch {
		case owner == nil && candidates != nil && o.GetDeletionTimestamp() == nil:
			return candidates(ctx, o)
		case owner == nil || owner.Kind != kind:
			return nil
		}
		return []reconcile.Request{loop.Request(o.GetNamespace(), owner.Name)}
	})
}

// Selecting returns requests for those owners whose selector matches o. An empty or invalid selector matches nothing.
func Selecting[T any, O interface {
	*T
	client.Object
}](owners []T, o client.Object, selector func(O) *metav1.LabelSelector) []reconcile.Request {
	var requests []reconcile.Request
	for i := range owners {
		owner := O(&owners[i])
		matcher, err := metav1.LabelSelectorAsSelector(selector(owner))
		if err != nil || matcher.Empty() || !matcher.Matches(labels.Set(o.GetLabels())) {
			continue
		}
		requests = append(requests, loop.Request(owner.GetNamespace(), owner.GetName()))
	}
	return requests
}
