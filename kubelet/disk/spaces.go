package disk

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coracle-k8s/coracle/guard"
)

// Spaces measures file systems that may not answer, those of a server that is away or of a disk that fails: each is asked by one at a time,
// and waited for for a moment. The zero value is ready.
type Spaces struct {
	of func(dir string) (Space, error) // SpaceOf unless set, for tests

	mu       sync.Mutex
	underWay map[string]*asking
}

type asking struct {
	since time.Time
	done  chan struct{}
	space Space
	err   error
}

var errSilent = errors.New("the file system does not answer")

// Of is SpaceOf, or an error after a moment; at once where somebody has waited that long already.
func (s *Spaces) Of(ctx context.Context, dir string) (Space, error) {
	a := s.ask(dir)
	timer := time.NewTimer(time.Until(a.since.Add(patience)))
	defer timer.Stop()
	select {
	case <-a.done:
		return a.space, a.err
	case <-timer.C:
		return Space{}, errSilent
	case <-ctx.Done():
		return Space{}, context.Cause(ctx)
	}
}

// ask returns the question that is under way, which it asks if there is none.
func (s *Spaces) ask(dir string) *asking {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.underWay[dir]; a != nil {
		return a
	}
	if s.underWay == nil {
		s.underWay = map[string]*asking{}
	}
	of := s.of
	if of == nil {
		of = SpaceOf
	}
	a := &asking{since: time.Now(), done: make(chan struct{})}
	s.underWay[dir] = a
	guard.GoThen("measuring a file system", func() (err error) {
		a.space, err = of(dir)
		return err
	}, func(err error) {
		a.err = err
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.underWay, dir)
		close(a.done)
	})
	return a
}
