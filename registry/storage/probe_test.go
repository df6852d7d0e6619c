package storage

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coracle-k8s/coracle/guard"
)

func TestHealthIsAskedForOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, bad := 0, errors.New("bad")
		var answer error
		p := probe{ask: func() error {
			asked++
			time.Sleep(10 * time.Millisecond)
			return answer
		}}
		results := func(want error, times int) {
			t.Helper()
			var all guard.Group
			for range 100 {
				all.Go("asking", func() {
					if err := p.result(); !errors.Is(err, want) && !errors.Is(err, errNotAsked) {
						t.Errorf("got %v, want %v", err, want)
					}
				})
			}
			all.Wait()
			if asked != times {
				t.Errorf("etcd was asked %d times, want %d", asked, times)
			}
		}
		results(nil, 1)
		if err := p.result(); err != nil {
			t.Errorf("after good news: %v", err)
		}
		answer = bad
		results(nil, 1)
		time.Sleep(goodFor)
		if err := p.result(); !errors.Is(err, bad) {
			t.Errorf("old news: %v", err)
		}
		answer = nil
		time.Sleep(badFor)
		if err := p.result(); err != nil || asked != 3 {
			t.Errorf("after bad news: %v, asked %d times", err, asked)
		}
	})
}
