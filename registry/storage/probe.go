package storage

import (
	"errors"
	"sync"
	"time"
)

// Anybody may ask for health, as often as they like, and each answer is a read through consensus. It is asked for once at a time, and
// not again before good news are this old; bad ones are looked at sooner, as a server that starts waits for better.
const (
	goodFor = healthTimeout / 2
	badFor  = 100 * time.Millisecond
)

var errNotAsked = errors.New("etcd has not answered yet")

// probe asks a question for all who want to know the answer.
type probe struct {
	ask func() error

	mu     sync.Mutex
	asking bool
	asked  bool
	until  time.Time
	last   error
}

// result is that of ask, or the last one where that is new enough or somebody asks already.
func (p *probe) result() error {
	if last, known := p.begin(); known {
		return last
	}
	err := errors.New("asking etcd panicked")
	defer func() { p.end(err) }()
	err = p.ask()
	return err
}

func (p *probe) begin() (last error, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.asking && !p.asked:
		return errNotAsked, true
	case p.asking || p.asked && time.Now().Before(p.until):
		return p.last, true
	}
	p.asking = true
	return nil, false
}

func (p *probe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asking, p.asked, p.last = false, true, err
	p.until = time.Now().Add(goodFor)
	if err != nil {
		p.until = time.Now().Add(badFor)
	}
}
