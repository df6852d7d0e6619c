package storage

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/coracle-k8s/coracle/guard"
)

// A watch cache sends bookmarks about once a second. It has a shorter timer, ten times a second, for asking etcd how far it is,
// which ends only while somebody waits for the answer, and longer ones.
const (
	shortestBookmarkPeriod = time.Second
	longestBookmarkPeriod  = 2 * time.Second
)

// bookmarkClock is the clock of one watch cache. While nobody watches, there is nobody to send bookmarks to, and the timer
// for that rests.
type bookmarkClock struct {
	alignedClock

	mu       sync.Mutex
	watchers int
	timer    *bookmarkTimer // nil until the watch cache has made it
}

func newBookmarkClock() *bookmarkClock { return &bookmarkClock{} }

func (c *bookmarkClock) NewTimer(d time.Duration) clock.Timer {
	if d < shortestBookmarkPeriod || d > longestBookmarkPeriod {
		return c.alignedClock.NewTimer(d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = &bookmarkTimer{Timer: c.alignedClock.NewTimer(d), clock: c}
	return c.timer
}

// watched says that somebody watches until ctx ends.
func (c *bookmarkClock) watched(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers++
	context.AfterFunc(ctx, func() { guard.Insist("counting watchers", c.unwatched) })
	if c.timer != nil && c.timer.resting > 0 {
		c.timer.Timer.Reset(c.timer.resting)
		c.timer.resting = 0
	}
}

func (c *bookmarkClock) unwatched() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers--
}

// bookmarkTimer is set again by the watch cache whenever it has ended.
type bookmarkTimer struct {
	clock.Timer
	clock   *bookmarkClock
	resting time.Duration // how long it is to run when it wakes; 0 while it runs
}

func (t *bookmarkTimer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.clock.watchers > 0 {
		return t.Timer.Reset(d)
	}
	t.resting = d
	return false
}

func (t *bookmarkTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.resting = 0
	return t.Timer.Stop()
}
