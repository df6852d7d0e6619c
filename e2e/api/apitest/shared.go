package apitest

import (
	"errors"
	"os"
	"sync"
	"testing"
)

// one is the server that tests share.
var one struct {
	start sync.Once
	dir   string
	r     *Running
	end   func() error
	err   error
}

// Shared is a server for all tests that do not mind one another: they name what they make as nobody else does, and neither change what
// concerns everybody nor count all that there is. It is started for the first of them, and takes seconds with the race detector. Main stops it.
func Shared(t testing.TB) *Running {
	t.Helper()
	one.start.Do(func() {
		if one.dir, one.err = os.MkdirTemp("", "apitest"); one.err == nil {
			one.r, one.end, one.err = begin(one.dir)
		}
	})
	if one.err != nil {
		t.Fatalf("starting the server that tests share: %v", one.err)
	}
	return one.r
}

func stopShared() error {
	if one.end == nil {
		return nil
	}
	return errors.Join(one.end(), os.RemoveAll(one.dir))
}
