package guard_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coracle-k8s/coracle/guard"
)

func TestPanicBecomesAnError(t *testing.T) {
	err := guard.Call("test", func() error { panic(io.ErrUnexpectedEOF) })
	var p *guard.Panic
	if !errors.As(err, &p) || p.Work != "test" || len(p.Stack) == 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %#v", err)
	}
	if err := guard.Call("test", func() error { return io.EOF }); err != io.EOF {
		t.Errorf("an error came back as %v", err)
	}
}

func TestGroupOutlivesItsPanics(t *testing.T) {
	var g guard.Group
	ran := make(chan struct{})
	g.Go("test", func() { panic("one") })
	g.Go("test", func() { close(ran) })
	g.Wait()
	<-ran
}

func TestKeepCallsAgainAfterPanicsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls := time.Now(), 0
		guard.Keep(t.Context(), "test", func(context.Context) {
			if calls++; calls < 4 {
				panic(calls)
			}
		})
		if passed := time.Since(began); calls != 4 || passed != 700*time.Millisecond {
			t.Errorf("%d calls in %v, not 4 in 700 ms", calls, passed)
		}
	})
}

func TestKeepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		guard.Keep(ctx, "test", func(context.Context) { panic("always") })
	})
}

func TestTogetherEndsWithTheFirst(t *testing.T) {
	waits := guard.Task{Work: "waits", Run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	for name, c := range map[string]struct {
		run    func(context.Context) error
		panics bool
		err    error
	}{
		"by a panic":  {func(context.Context) error { panic(io.ErrClosedPipe) }, true, io.ErrClosedPipe},
		"by an error": {func(context.Context) error { return io.EOF }, false, io.EOF},
		"in order":    {func(context.Context) error { return nil }, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := guard.Together(t.Context(), waits, guard.Task{Work: "ends", Run: c.run})
			var p *guard.Panic
			if !errors.Is(err, c.err) || errors.As(err, &p) != c.panics {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestInjectedFaultIsAPanicOfTheWork(t *testing.T) {
	end := guard.InjectFaults(func(work string) {
		if work == "broken" {
			panic("injected")
		}
	})
	defer end()
	if guard.Do("broken", func() { t.Error("it was called") }) {
		t.Error("no panic")
	}
	if !guard.Do("whole", func() {}) {
		t.Error("the fault hit other work")
	}
}

func TestInsistCallsAgainOnce(t *testing.T) {
	for _, c := range []struct {
		panics, calls int
		good          bool
	}{{0, 1, true}, {1, 2, true}, {2, 2, false}} {
		calls := 0
		good := guard.Insist("test", func() {
			if calls++; calls <= c.panics {
				panic(calls)
			}
		})
		if good != c.good || calls != c.calls {
			t.Errorf("with %d panics: %v after %d calls, not %v after %d", c.panics, good, calls, c.good, c.calls)
		}
	}
}

func TestWhoWaitsIsToldHoweverWorkEnds(t *testing.T) {
	for name, f := range map[string]func() error{
		"by an error": func() error { return io.EOF },
		"by a panic":  func() error { panic(io.EOF) },
		"by Goexit":   func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			guard.GoThen("test", f, func(err error) { ended <- err })
			if err := <-ended; err == nil || name != "by Goexit" && !errors.Is(err, io.EOF) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestWhoWaitsIsToldOfWorkThatNeverBegan(t *testing.T) {
	defer guard.InjectFaults(func(string) { panic("injected") })()
	var g guard.Group
	var ended error
	g.GoThen("test", func() error { t.Error("it began"); return nil }, func(err error) { ended = err; panic("too") })
	g.Wait()
	var p *guard.Panic
	if !errors.As(ended, &p) {
		t.Errorf("ended with %v", ended)
	}
}
