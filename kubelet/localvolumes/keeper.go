package localvolumes

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// Keeper makes and deletes volumes for the API server, and empties the trash when it is time. It does nothing until it is asked.
type Keeper struct {
	pool Pool

	mu    sync.Mutex
	sweep *time.Timer // set while there is something in the trash
}

// NewKeeper keeps volumes in a directory.
func NewKeeper(dir string) *Keeper { return &Keeper{pool: Pool{Dir: dir}} }

// ServeHTTP makes (PUT) or deletes (DELETE) the volume that the path value name names. A made one is answered with where it is.
func (k *Keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var path string
	var err error
	if r.Method == http.MethodPut {
		path, err = k.pool.Make(name)
	} else if err = k.pool.Delete(name, time.Now()); err == nil {
		k.Sweep()
	}
	switch {
	case errors.Is(err, ErrName):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		_, _ = w.Write([]byte(path)) // a client that went away asks again
	}
}

// Sweep empties the trash of what has been in it for a day, and comes again when there is more. Call it when the node starts.
func (k *Keeper) Sweep() {
	now := time.Now()
	next, err := k.pool.Sweep(now)
	if err != nil {
		klog.Background().Error(err, "Removing deleted volumes", "dir", k.pool.Dir)
		next = now.Add(time.Hour)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sweep != nil {
		k.sweep.Stop()
		k.sweep = nil
	}
	if !next.IsZero() {
		k.sweep = time.AfterFunc(next.Sub(now), func() { guard.Do("removing deleted volumes", k.Sweep) })
	}
}
