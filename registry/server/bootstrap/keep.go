package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/guard"
)

// concern is objects of one kind.
type concern struct {
	informer cache.SharedIndexInformer
	about    func(metav1.Object) bool
}

// oneOf are the objects of the given names, "namespace/name" where they have namespaces.
func oneOf(names ...string) func(metav1.Object) bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return func(o metav1.Object) bool { return set[nameOf(o)] }
}

func nameOf(o metav1.Object) string {
	if o.GetNamespace() == "" {
		return o.GetName()
	}
	return o.GetNamespace() + "/" + o.GetName()
}

// Keep carries out each step again, after its first success, when the objects that it makes have been changed or deleted, until ctx
// ends. Nothing runs while nothing changes.
func (b *Bootstrap) Keep(ctx context.Context) {
	var all guard.Group
	for _, s := range steps() {
		all.Keep(ctx, s.Name, func(ctx context.Context) {
			select {
			case <-b.done[s.Name]:
			case <-ctx.Done():
				return
			}
			_ = b.follow(ctx, s.Name, s.concerns(b.config), func(ctx context.Context) error { return s.ensure(ctx, b.config) })
		})
	}
	all.Wait()
}

// Pauses between two times that something is carried out: longer ones while it does not come to rest, because somebody undoes it.
const (
	shortPause = 200 * time.Millisecond
	obstructed = 3 * time.Second
)

// follow calls ensure once the concerns are watched, and when one of them changes, until ctx ends. It returns an error if they cannot be watched.
func (b *Bootstrap) follow(ctx context.Context, what string, concerns []concern, ensure func(context.Context) error) error {
	changed := make(chan struct{}, 1)
	var synced []cache.InformerSynced
	for _, c := range concerns {
		registration, err := c.informer.AddEventHandler(c.tell(changed))
		if err != nil {
			return fmt.Errorf("watching for %s: %w", what, err)
		}
		defer func() { _ = c.informer.RemoveEventHandler(registration) }()
		synced = append(synced, registration.HasSynced)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	select {
	case changed <- struct{}{}: // between the step and the informers' first lists something may have gone
	default:
	}
	pause := shortPause
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
		err := retry(ctx, what, func(ctx context.Context) error {
			err := ensure(ctx)
			var obstacle *inTheWay
			if errors.As(err, &obstacle) {
				// What was in the way a moment ago, an address that is being freed for instance, may be gone now.
				select {
				case <-time.After(obstructed):
				case <-ctx.Done():
				}
				err = ensure(ctx)
			}
			return b.told(ctx, err)
		})
		if err != nil {
			return nil // ctx has ended
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		if len(changed) == 0 {
			pause = shortPause
		} else {
			pause = min(2*pause, longestPause)
		}
	}
}

// tell tells of changes that are not the informer's first list: after that the step is carried out in any case.
func (c concern) tell(changed chan<- struct{}) cache.ResourceEventHandler {
	tell := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if o, ok := obj.(metav1.Object); ok && c.about(o) {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, first bool) {
			if !first {
				tell(obj)
			}
		},
		UpdateFunc: func(old, obj any) {
			if before, ok := old.(metav1.Object); ok && matters(before, obj.(metav1.Object)) {
				tell(obj)
			}
		},
		DeleteFunc: tell,
	}
}

// matters leaves out what is written about an object's status, where that can be told.
func matters(old, now metav1.Object) bool {
	switch {
	case now.GetGeneration() == 0:
		return old.GetResourceVersion() != now.GetResourceVersion()
	case old.GetGeneration() != now.GetGeneration(), (old.GetDeletionTimestamp() == nil) != (now.GetDeletionTimestamp() == nil):
		return true
	}
	return !maps.Equal(old.GetLabels(), now.GetLabels()) || !maps.Equal(old.GetAnnotations(), now.GetAnnotations())
}
