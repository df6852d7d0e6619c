package serviceaccount

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	listers "k8s.io/client-go/listers/core/v1"
)

// patience is how long the default account of a namespace is waited for.
const patience = 1500 * time.Millisecond

// waiter lets requests wait for accounts to appear.
type waiter struct {
	mu      sync.Mutex
	changed chan struct{} // closed when an account appears; nil when nobody waits
}

// forAccount returns the account as soon as it is known, or the lister's error when patience or the request ends.
func (w *waiter) forAccount(ctx context.Context, namespace, name string, accounts listers.ServiceAccountLister) (*corev1.ServiceAccount, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		changed := w.next() // before looking, so that nothing is missed
		found, err := accounts.ServiceAccounts(namespace).Get(name)
		if err == nil {
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (w *waiter) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.changed
}

// OnAdd implements cache.ResourceEventHandler.
func (w *waiter) OnAdd(any, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// OnUpdate implements cache.ResourceEventHandler.
func (w *waiter) OnUpdate(any, any) {}

// OnDelete implements cache.ResourceEventHandler.
func (w *waiter) OnDelete(any) {}
