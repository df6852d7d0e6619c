package loop

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Request is the request to reconcile the named object.
func Request(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}
}

// ToRequests makes an event handler of a function from an object to the names of those to reconcile. It is asked
// about both states of an updated object.
func ToRequests(names handler.MapFunc) handler.EventHandler {
	return Guarded(handler.EnqueueRequestsFromMapFunc(names))
}

// Namespaces wakes the namespace that an object is in.
func Namespaces() handler.EventHandler {
	return ToRequests(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{Request("", o.GetNamespace())}
	})
}

// Only is builder.WithPredicates.
func Only(predicates ...predicate.Predicate) builder.Predicates {
	return builder.WithPredicates(predicates...)
}

// Changed lets pass what keep says of the old and the new state, and every creation and deletion.
func Changed[T client.Object](keep func(old, now T) bool) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		old, isOld := e.ObjectOld.(T)
		now, isNew := e.ObjectNew.(T)
		return !isOld || !isNew || lets(func() bool { return keep(old, now) })
	}}
}

// Where lets pass only objects of which keep approves; of an update, the new state.
func Where[T client.Object](keep func(T) bool) predicate.Predicate {
	return predicate.NewPredicateFuncs(func(o client.Object) bool {
		object, is := o.(T)
		return is && lets(func() bool { return keep(object) })
	})
}

// Deletions lets only deletions pass.
func Deletions() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// NamespaceGone reports whether a creation was refused because its namespace is not there or is being deleted: there
// is nothing to be retried then.
func NamespaceGone(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// Updates lets only updates pass.
func Updates() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
