package storage

import (
	"time"

	"k8s.io/utils/clock"
)

// alignedClock makes long timers end on whole seconds, so that the timers of all watch caches wake the process once
// instead of once each.
type alignedClock struct{ clock.RealClock }

// longTimer is the shortest timer that may end up to half a second early or late.
const longTimer = 700 * time.Millisecond

func (alignedClock) NewTimer(d time.Duration) clock.Timer {
	return alignedTimer{clock.RealClock{}.NewTimer(aligned(time.Now(), d))}
}

type alignedTimer struct{ clock.Timer }

func (t alignedTimer) Reset(d time.Duration) bool { return t.Timer.Reset(aligned(time.Now(), d)) }

// aligned is the duration from now to the whole second nearest to d from now.
func aligned(now time.Time, d time.Duration) time.Duration {
	if d < longTimer {
		return d
	}
	return now.Add(d).Round(time.Second).Sub(now)
}
