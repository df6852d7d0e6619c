package pods

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// pauses hold back actions that failed, each by itself: what fails in one container delays nothing in another.
type pauses map[string]pause

type pause struct {
	length time.Duration
	until  time.Time
}

// failed begins a pause, longer than the one before. Where the failure says when it makes sense to try again, not before that.
func (p pauses) failed(key string, failure error, now time.Time) {
	length := min(max(2*p[key].length, firstRetry), lastRetry)
	until := now.Add(length)
	var why *Reasoned
	if errors.As(failure, &why) && strings.HasSuffix(why.Reason, "BackOff") && why.Retry.After(until) {
		until = why.Retry
	}
	p[key] = pause{length: length, until: until}
}

// due are those actions, in order, that no pause holds back; left is how long the first of the pauses lasts, zero where there is none.
// A container is not started while its stop waits. What is remembered of actions that are not planned any more is dropped.
func (p pauses) due(actions []action, now time.Time) (due []action, left time.Duration) {
	for key, pause := range p {
		if !pause.until.After(now) && !slices.ContainsFunc(actions, func(a action) bool { return a.key() == key }) {
			delete(p, key)
		}
	}
	unstopped := map[string]bool{}
	for _, a := range actions {
		start, isStart := a.(startContainer)
		if wait := p[a.key()].until.Sub(now); wait > 0 {
			left = sooner(left, wait)
			if stop, is := a.(stopContainer); is {
				unstopped[stop.spec.Name] = true
			}
			continue
		}
		if isStart && unstopped[start.spec.Name] {
			continue
		}
		due = append(due, a)
	}
	return due, left
}

// sooner is the shorter of two times to wait, where zero is for ever.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
