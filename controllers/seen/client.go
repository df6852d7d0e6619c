// Package seen makes a write return only after the shared cache shows it.
//
// It stands where upstream's controllers keep expectations: a reconciler whose writes have all been seen can never read
// a state from before them, so it needs no memory of what it has done. The wait is for the revision that the server
// answered. In one process with the API server the event comes before the answer, and nobody waits; against a remote
// one it is the latency of a watch. A write by another client is no business of this package: those are told apart by
// the server (conflicts, AlreadyExists).
package seen

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	firstLook = 500 * time.Microsecond
	lastLook  = 100 * time.Millisecond
	patience  = 30 * time.Second
)

// WaitFor returns when readers of the shared cache see the object at its resource version or later.
type WaitFor func(ctx context.Context, o client.Object) error

// Client wraps the writes of one client.Client. Only kinds in the cache may be written through it.
type Client struct {
	client.Client
	cache cache.Cache
	wait  WaitFor
}

// New wraps c, which must read from shared. wait may be nil; then the cache's store is looked at until it has the
// revision, which needs nothing of the cache but its informers.
func New(c client.Client, shared cache.Cache, wait WaitFor) *Client {
	return &Client{Client: c, cache: shared, wait: wait}
}

// Create implements client.Writer.
func (c *Client) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	if err := c.Client.Create(ctx, o, opts...); err != nil {
		return err
	}
	return c.await(ctx, o)
}

// Update implements client.Writer.
func (c *Client) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	if err := c.Client.Update(ctx, o, opts...); err != nil {
		return err
	}
	return c.await(ctx, o)
}

// Patch implements client.Writer.
func (c *Client) Patch(ctx context.Context, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if err := c.Client.Patch(ctx, o, patch, opts...); err != nil {
		return err
	}
	return c.await(ctx, o)
}

// Delete implements client.Writer. The object must carry its UID: it returns when the cache shows it gone, replaced
// or being deleted.
func (c *Client) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	if err := c.Client.Delete(ctx, o, opts...); err != nil {
		return err
	}
	return c.poll(ctx, o, func(shown client.Object) (bool, error) {
		return shown == nil || shown.GetUID() != o.GetUID() || shown.GetDeletionTimestamp() != nil, nil
	})
}

// Status implements client.StatusClient.
func (c *Client) Status() client.SubResourceWriter {
	return statusWriter{SubResourceWriter: c.Client.Status(), c: c}
}

type statusWriter struct {
	client.SubResourceWriter
	c *Client
}

func (w statusWriter) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	if err := w.SubResourceWriter.Update(ctx, o, opts...); err != nil {
		return err
	}
	return w.c.await(ctx, o)
}

func (w statusWriter) Patch(ctx context.Context, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if err := w.SubResourceWriter.Patch(ctx, o, patch, opts...); err != nil {
		return err
	}
	return w.c.await(ctx, o)
}

func (c *Client) await(ctx context.Context, o client.Object) error {
	if c.wait != nil {
		return c.wait(ctx, o)
	}
	version, uid := o.GetResourceVersion(), o.GetUID()
	return c.poll(ctx, o, func(shown client.Object) (bool, error) {
		if shown != nil && shown.GetUID() == uid {
			return reached(shown.GetResourceVersion(), version)
		}
		// Absent: not there yet, or gone again already. The store as a whole tells which.
		return c.storeReached(ctx, o, version)
	})
}

// poll looks at what the cache shows of the object until done. Looking again costs only while a write is under way,
// where a handler on every informer would cost at every event of the cluster.
func (c *Client) poll(ctx context.Context, o client.Object, done func(shown client.Object) (bool, error)) error {
	key := client.ObjectKeyFromObject(o)
	deadline := time.Now().Add(patience)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		shown, err := c.shown(ctx, key, o)
		if err != nil {
			return err
		}
		if ok, err := done(shown); ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waiting for the cache to show the write of %T %s: not seen in %s", o, key, patience)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Client) shown(ctx context.Context, key types.NamespacedName, o client.Object) (client.Object, error) {
	into := o.DeepCopyObject().(client.Object)
	switch err := c.cache.Get(ctx, key, into); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("looking for the write of %T %s in the cache: %w", o, key, err)
	}
	return into, nil
}

func (c *Client) storeReached(ctx context.Context, o client.Object, version string) (bool, error) {
	informer, err := c.cache.GetInformer(ctx, o)
	if err != nil {
		return false, fmt.Errorf("finding the informer of %T: %w", o, err)
	}
	shared, ok := informer.(toolscache.SharedIndexInformer)
	if !ok {
		return false, nil
	}
	store := shared.GetIndexer().LastStoreSyncResourceVersion()
	if store == "" {
		return false, nil
	}
	return reached(store, version)
}

func reached(have, want string) (bool, error) {
	order, err := resourceversion.CompareResourceVersion(have, want)
	if err != nil {
		return false, fmt.Errorf("comparing resource versions %q and %q: %w", have, want, err)
	}
	return order >= 0, nil
}
