package loop

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/guard"
)

// waking names what handlers of informers do: they run on the informers' goroutines.
const waking = "waking a controller"

// Guarded gives a handler whose panics do not end more than itself: it is asked once more, and after another one the objects that it would
// have named wait for their next event.
func Guarded(h handler.EventHandler) handler.EventHandler { return guarded{h} }

type guarded struct{ handler.EventHandler }

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Create implements handler.EventHandler.
func (g guarded) Create(ctx context.Context, e event.CreateEvent, q queue) {
	guard.Insist(waking, func() { g.EventHandler.Create(ctx, e, q) })
}

// Update implements handler.EventHandler.
func (g guarded) Update(ctx context.Context, e event.UpdateEvent, q queue) {
	guard.Insist(waking, func() { g.EventHandler.Update(ctx, e, q) })
}

// Delete implements handler.EventHandler.
func (g guarded) Delete(ctx context.Context, e event.DeleteEvent, q queue) {
	guard.Insist(waking, func() { g.EventHandler.Delete(ctx, e, q) })
}

// Generic implements handler.EventHandler.
func (g guarded) Generic(ctx context.Context, e event.GenericEvent, q queue) {
	guard.Insist(waking, func() { g.EventHandler.Generic(ctx, e, q) })
}

// Contained gives a reconciler whose panics are failures of the one object, as the library's would be, and are counted by the
// controller's name as all panics of the process.
func Contained[R comparable](name string, r reconcile.TypedReconciler[R]) reconcile.TypedReconciler[R] {
	return reconcile.TypedFunc[R](func(ctx context.Context, request R) (result reconcile.Result, err error) {
		err = guard.Call(name, func() (err error) {
			result, err = r.Reconcile(ctx, request)
			return err
		})
		return result, err
	})
}

// lets asks a predicate's function; one that panics lets the event pass, as to look in vain harms nobody.
func lets(keep func() bool) (pass bool) {
	return !guard.Do(waking, func() { pass = keep() }) || pass
}
