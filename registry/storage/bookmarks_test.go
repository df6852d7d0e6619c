package storage

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBookmarkTimerRestsWhileNobodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newBookmarkClock()
		timer := clock.NewTimer(time.Second)
		defer timer.Stop()
		ended := func() (times int) {
			for end := time.After(time.Minute); ; {
				select {
				case <-timer.C():
					times++
					timer.Reset(time.Second)
				case <-end:
					return times
				}
			}
		}
		if n := ended(); n > 1 {
			t.Errorf("without watchers it ended %d times in a minute", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		clock.watched(ctx)
		clock.watched(t.Context())
		if n := ended(); n < 50 {
			t.Errorf("with watchers it ended %d times in a minute", n)
		}
		cancel()
		synctest.Wait()
		if n := ended(); n < 50 {
			t.Errorf("with one watcher left it ended %d times in a minute", n)
		}
	})
}

func TestBookmarkTimerRestsWhenTheLastWatcherHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newBookmarkClock()
		ctx, cancel := context.WithCancel(t.Context())
		clock.watched(ctx) // before the watch cache has made the timer
		timer := clock.NewTimer(time.Second)
		defer timer.Stop()
		<-timer.C()
		timer.Reset(time.Second)
		<-timer.C()
		cancel()
		synctest.Wait()
		timer.Reset(time.Second)
		select {
		case <-timer.C():
			t.Error("it does not rest")
		case <-time.After(time.Minute):
		}
	})
}

func TestOtherTimersOfAWatchCacheDoNotRest(t *testing.T) {
	for _, d := range []time.Duration{100 * time.Millisecond, 15 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			clock := newBookmarkClock()
			bookmarks := clock.NewTimer(time.Second)
			defer bookmarks.Stop()
			timer := clock.NewTimer(d)
			<-timer.C()
			timer.Reset(d)
			<-timer.C()
			<-bookmarks.C()
			bookmarks.Reset(time.Second)
			clock.watched(t.Context())
			<-bookmarks.C()
		})
	}
}
