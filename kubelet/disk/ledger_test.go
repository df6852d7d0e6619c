package disk

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"
)

// walks are of directories that take a while each; the result is how often a directory was walked.
type walks struct {
	takes map[string]time.Duration
	count map[string]int64
}

func (w *walks) of(ctx context.Context, dir string) (Usage, error) {
	w.count[dir]++
	used := Usage{Bytes: w.count[dir], At: time.Now()}
	select {
	case <-time.After(w.takes[dir]):
	case <-ctx.Done():
		return used, ctx.Err()
	}
	switch dir {
	case "none":
		return used, fs.ErrNotExist
	case "broken":
		return used, errors.New("input/output error")
	}
	return used, nil
}

// withLedger runs a test beside a ledger, in time of its own.
func withLedger(t *testing.T, takes map[string]time.Duration, test func(*testing.T, *Ledger, *walks)) {
	synctest.Test(t, func(t *testing.T) {
		w := &walks{takes: takes, count: map[string]int64{}}
		l := NewLedger()
		l.of = w.of
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx) }()
		test(t, l, w)
		cancel()
		<-done
	})
}

func TestFiguresAreKeptForAMinute(t *testing.T) {
	withLedger(t, nil, func(t *testing.T, l *Ledger, w *walks) {
		for _, tt := range []struct {
			after time.Duration
			want  int64
		}{{0, 1}, {30 * time.Second, 1}, {29 * time.Second, 1}, {time.Second, 2}, {time.Hour, 3}} {
			time.Sleep(tt.after)
			if got := l.Ask(t.Context(), []string{"a"})["a"].Bytes; got != tt.want {
				t.Errorf("another %s later: figure %d, want %d", tt.after, got, tt.want)
			}
		}
	})
}

func TestWhatTakesLongIsWalkedSeldom(t *testing.T) {
	withLedger(t, map[string]time.Duration{"big": 10 * time.Second}, func(t *testing.T, l *Ledger, w *walks) {
		dirs := []string{"big", "small"}
		began := time.Now()
		if got := l.Ask(t.Context(), dirs); len(got) != 0 || time.Since(began) != patience {
			t.Errorf("%v after %s, want nothing after %s", got, time.Since(began), patience)
		}
		time.Sleep(10 * time.Second)
		got := l.Ask(t.Context(), dirs)
		if len(got) != 2 || !got["big"].At.Equal(began) {
			t.Errorf("got %v, want both, the big one as it was at %s", got, began)
		}
		time.Sleep(2 * time.Minute)
		began = time.Now()
		if got := l.Ask(t.Context(), dirs); got["big"].Bytes != 1 || got["small"].Bytes != 2 || time.Since(began) != 0 {
			t.Errorf("got %v after %s, want the big one as it was and the small one anew, at once", got, time.Since(began))
		}
		time.Sleep(2 * time.Minute)
		if got := l.Ask(t.Context(), dirs); got["big"].Bytes != 1 || got["small"].Bytes != 2 {
			t.Errorf("got %v, want what was known while the big one is walked", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if w.count["big"] != 2 || w.count["small"] != 3 {
			t.Errorf("walked %v: nobody asked", w.count)
		}
	})
}

func TestWhatIsAskedForDuringAWalkIsMeasured(t *testing.T) {
	withLedger(t, map[string]time.Duration{"a": time.Second, "b": 500 * time.Millisecond}, func(t *testing.T, l *Ledger, w *walks) {
		first := make(chan map[string]Usage)
		go func() { first <- l.Ask(t.Context(), []string{"a"}) }()
		time.Sleep(100 * time.Millisecond)
		if got := l.Ask(t.Context(), []string{"a", "b"}); len(got) != 2 {
			t.Errorf("got %v", got)
		}
		if got := <-first; len(got) != 1 {
			t.Errorf("the first got %v", got)
		}
		if w.count["a"] != 1 || w.count["b"] != 1 {
			t.Errorf("walked %v, want each once", w.count)
		}
	})
}

func TestWhatCannotBeMeasuredIsLeftOut(t *testing.T) {
	withLedger(t, nil, func(t *testing.T, l *Ledger, w *walks) {
		dirs := []string{"none", "broken", "a"}
		for range 2 {
			if got := l.Ask(t.Context(), dirs); len(got) != 1 || got["a"].Bytes != 1 {
				t.Errorf("got %v", got)
			}
		}
		if w.count["none"] != 2 || w.count["broken"] != 1 {
			t.Errorf("walked %v: what is not there may be soon, what is broken stays so", w.count)
		}
		time.Sleep(keepFor)
		l.Ask(t.Context(), nil)
		if len(l.known) != 0 {
			t.Errorf("knows of %v still", l.known)
		}
	})
}

func TestAPanicIsOfOneDirectory(t *testing.T) {
	withLedger(t, nil, func(t *testing.T, l *Ledger, w *walks) {
		of := l.of
		l.of = func(ctx context.Context, dir string) (Usage, error) {
			if dir == "malformed" {
				panic(dir)
			}
			return of(ctx, dir)
		}
		for range 2 {
			if got := l.Ask(t.Context(), []string{"malformed", "a"}); len(got) != 1 || got["a"].Bytes == 0 {
				t.Errorf("got %v, want that of a", got)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestWhoAsksForSomethingElseIsNotInTheWay(t *testing.T) {
	withLedger(t, map[string]time.Duration{"slow": time.Second}, func(t *testing.T, l *Ledger, w *walks) {
		first := make(chan map[string]Usage)
		go func() { first <- l.Ask(t.Context(), []string{"slow", "a"}) }()
		synctest.Wait()
		l.Ask(t.Context(), []string{"b"})
		if got := <-first; len(got) != 2 {
			t.Errorf("who asked first got %v", got)
		}
		for range 5 {
			time.Sleep(5 * time.Second)
			l.Ask(t.Context(), []string{"a"})
			l.Ask(t.Context(), []string{"b"})
		}
		if w.count["a"] != 1 || w.count["b"] != 1 {
			t.Errorf("walked %v within a minute", w.count)
		}
		time.Sleep(time.Hour)
		l.Ask(t.Context(), []string{"a"})
		if len(l.known) != 1 {
			t.Errorf("knows %v, of which nobody has asked for an hour", l.known)
		}
	})
}
