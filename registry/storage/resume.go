package storage

import (
	"context"
	"strconv"

	"google.golang.org/grpc/metadata"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"
	apistorage "k8s.io/apiserver/pkg/storage"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/registry/tee"
)

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
	if err == nil && from > 0 && !initial && !r.reaches(from) {
		return r.resume(ctx, key, o)
	}
	r.bookmarks.watched(ctx)
	return r.Interface.Watch(ctx, key, o)
}

// reaches tells whether the watch cache knows all that happened after a revision.
func (r *resuming) reaches(revision uint64) bool {
	oldest := r.cached.Oldest()
	return oldest > 0 && oldest <= revision
}

// resume begins in etcd's history, and goes on in the watch cache as soon as that reaches: there an event is decoded once for all who
// watch, here by each watch for itself, whether it selects the object or not.
func (r *resuming) resume(ctx context.Context, key string, o apistorage.ListOptions) (watch.Interface, error) {
	ctx, stop := context.WithCancel(ctx)
	history := o
	history.ProgressNotify = true // within two minutes, also where nothing happens that is selected
	past, err := r.etcd.Watch(apart(ctx), key, history)
	if err != nil {
		stop()
		return nil, err
	}
	w := &resumed{out: make(chan watch.Event), stop: stop, bookmarks: o.Predicate.AllowWatchBookmarks}
	guard.GoThen("resumed watch", func() error {
		o.ResourceVersion = w.replay(ctx, past, r.reaches)
		past.Stop()
		if o.ResourceVersion == "" {
			return nil
		}
		r.bookmarks.watched(ctx)
		present, err := r.Interface.Watch(ctx, key, o)
		if err != nil {
			return err // whoever watches begins again where this ends
		}
		defer present.Stop()
		w.pass(ctx, present.ResultChan(), func(watch.Event) bool { return true })
		return nil
	}, func(error) {
		stop()
		close(w.out)
	})
	return w, nil
}

// apart keeps a watch off the stream that the watch caches have to etcd. When they ask there how far etcd is, it tells all
// watches of the stream: also those without bookmarks, and one that has just begun before it is told what happened until then.
func apart(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "source", "resumed")
}

// resumed is a watch that is one after the other in two places.
type resumed struct {
	out       chan watch.Event
	stop      context.CancelFunc
	bookmarks bool // they are wanted
}

// ResultChan implements watch.Interface.
func (w *resumed) ResultChan() <-chan watch.Event { return w.out }

// Stop implements watch.Interface.
func (w *resumed) Stop() { w.stop() }

// replay passes events on until one of a revision that is reached elsewhere, and returns that; "" where they end before.
func (w *resumed) replay(ctx context.Context, past watch.Interface, reached func(revision uint64) bool) (at string) {
	w.pass(ctx, past.ResultChan(), func(e watch.Event) bool {
		o, err := meta.Accessor(e.Object)
		if err != nil { // an error is no object
			return true
		}
		if revision, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64); err == nil && reached(revision) {
			at = o.GetResourceVersion()
		}
		return at == ""
	})
	return at
}

// pass passes events on until they end, ctx does, or one was the last.
func (w *resumed) pass(ctx context.Context, events <-chan watch.Event, on func(watch.Event) bool) {
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			more := on(e) // before somebody has the object
			if e.Type != watch.Bookmark || w.bookmarks {
				select {
				case w.out <- e:
				case <-ctx.Done():
					return
				}
			}
			if !more {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
