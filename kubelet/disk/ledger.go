package disk

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	// keepFor is how long a figure counts as the latest: as long as upstream's.
	keepFor = time.Minute
	// restFactor keeps the figure of a directory longer that took long: walking it takes at most one part in so many of the time.
	restFactor = 20
	// patience is how long somebody who asks waits for directories that are being walked.
	patience = 2 * time.Second
)

// Ledger remembers what directories held the last time that somebody asked. It walks them one after the other, each at most once a
// minute, and none while nobody asks.
type Ledger struct {
	of   func(ctx context.Context, dir string) (Usage, error)
	wake chan struct{}

	mu    sync.Mutex
	known map[string]entry
	asked []string      // and not begun yet
	round chan struct{} // closed when nothing more is asked for; nil while nothing is measured
}

type entry struct {
	Usage
	found bool
	until time.Time
}

// NewLedger returns a ledger that knows nothing yet.
func NewLedger() *Ledger {
	return &Ledger{of: Of, wake: make(chan struct{}, 1), known: map[string]entry{}}
}

// Ask returns what directories held, and when. Those that cannot be measured are left out, and those that were never measured and take
// longer than a moment. Others that the ledger knew of are forgotten as soon as they would have to be measured again: who asks for something
// else does not make it forget.
func (l *Ledger) Ask(ctx context.Context, dirs []string) map[string]Usage {
	if round := l.begin(dirs, time.Now()); round != nil {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-round:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]Usage{}
	for _, dir := range dirs {
		if e := l.known[dir]; e.found {
			out[dir] = e.Usage
		}
	}
	return out
}

// begin notes what is asked for and returns what ends when all of it is known, nil where it is already.
func (l *Ledger) begin(dirs []string, now time.Time) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := make(map[string]entry, len(dirs))
	for dir, e := range l.known {
		if now.Before(e.until) {
			known[dir] = e
		}
	}
	stale := false
	for _, dir := range dirs {
		e, ok := l.known[dir]
		if ok {
			known[dir] = e
		}
		if !now.Before(e.until) {
			stale = true
			if !slices.Contains(l.asked, dir) {
				l.asked = append(l.asked, dir)
			}
		}
	}
	l.known = known
	if stale && l.round == nil {
		l.round = make(chan struct{})
		l.wake <- struct{}{} // has room: a round ends after it was taken
	}
	return l.round
}

// Run measures what is asked for until ctx ends.
func (l *Ledger) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for dirs := l.take(); len(dirs) > 0; dirs = l.take() {
			for _, dir := range dirs {
				if l.fresh(dir) {
					continue
				}
				began := time.Now()
				var used Usage
				err := guard.Call("measuring a directory", func() (err error) { // who asks waits for the round's end
					used, err = l.of(ctx, dir)
					return err
				})
				if ctx.Err() != nil {
					return
				}
				l.note(dir, used, err, began)
			}
		}
	}
}

// take returns what was asked for since the last time; the round ends if that is nothing.
func (l *Ledger) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	dirs := l.asked
	l.asked = nil
	if len(dirs) == 0 {
		close(l.round)
		l.round = nil
	}
	return dirs
}

func (l *Ledger) fresh(dir string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.known[dir].until)
}

func (l *Ledger) note(dir string, used Usage, err error, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	e := entry{Usage: used, found: err == nil, until: now.Add(max(keepFor, restFactor*now.Sub(began)))}
	if errors.Is(err, fs.ErrNotExist) {
		e.until = now // it is about to be made
	}
	l.known[dir] = e
}
