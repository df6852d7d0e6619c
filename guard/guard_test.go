package guard_test

import (
	"context"
	"errors"
	"io"
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
