package localvolumes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// Keeper makes and deletes volumes for the API server, and empties the trash when it is time. It does nothing until it is asked.
type Keeper struct {
	pool Pool

	mu    sync.Mutex
	sweep *time.Timer // set while there is something in the trash
}

// NewKeeper keeps volumes in a pool.
func NewKeeper(pool Pool) *Keeper { return &Keeper{pool: pool} }

// Room is how much volumes may ask for in all, as the Node says it.
func (k *Keeper) Room() string {
	room, err := k.pool.Room()
	if err != nil {
		klog.Background().Error(err, "Looking for the disk of local volumes", "dir", k.pool.Dir)
	}
	return resource.NewQuantity(max(room, 0), resource.BinarySI).String()
}

// maxVolume is what a volume may have as JSON.
const maxVolume = 1 << 20

// ServeHTTP makes (PUT) the volume that the body is, or deletes (DELETE) the one that the path value name names. A made one is answered
// with where it is.
func (k *Keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var path string
	var err error
	if r.Method == http.MethodPut {
		path, err = k.make(name, http.MaxBytesReader(w, r.Body, maxVolume))
	} else if err = k.pool.Delete(name, time.Now()); err == nil {
		k.Sweep()
	}
	switch {
	case errors.Is(err, ErrName):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, ErrFull):
		http.Error(w, err.Error(), http.StatusInsufficientStorage)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		_, _ = w.Write([]byte(path)) // a client that went away asks again
	}
}

func (k *Keeper) make(name string, body io.Reader) (path string, err error) {
	var v corev1.PersistentVolume
	if err := json.NewDecoder(body).Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading volume %q: %w", name, err)
	}
	v.Name = name
	return k.pool.Make(&v)
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
