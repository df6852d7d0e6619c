package scheduler

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

var errPodGone = errors.New("the pod is gone")

// underway are the pods that are being bound, which may wait for volumes, and how to end that.
type underway struct {
	mu  sync.Mutex
	end map[types.UID]*context.CancelCauseFunc
}

// begin returns the context for binding a pod. The function that it returns must be called at the end.
func (u *underway) begin(ctx context.Context, pod types.UID) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	mine := &cancel
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.end == nil {
		u.end = map[types.UID]*context.CancelCauseFunc{}
	}
	u.end[pod] = mine
	return ctx, func() {
		cancel(nil)
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.end[pod] == mine { // else it is being bound again
			delete(u.end, pod)
		}
	}
}

// abandon lets a pod wait for nothing any more.
func (u *underway) abandon(pod types.UID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if cancel := u.end[pod]; cancel != nil {
		(*cancel)(errPodGone)
	}
}
