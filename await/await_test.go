package await

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a test that fails, and that may.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestWhatNeverComesIsNamed(t *testing.T) {
	closed := make(chan int)
	close(closed)
	for name, c := range map[string]struct {
		wait func(testing.TB)
		said string
	}{
		"a value":        {func(t testing.TB) { Receive(t, make(chan int), "a number") }, "never: a number"},
		"a match":        {func(t testing.TB) { Match(t, make(chan int), "a number", nil) }, "never: a number: only 0 others"},
		"a closed one":   {func(t testing.TB) { Match(t, closed, "a number", nil) }, "never: a number: the channel was closed after 0 others"},
		"a condition":    {func(t testing.TB) { Until(t, "it is so", func() bool { return false }) }, "never: it is so"},
		"a return":       {func(t testing.TB) { Return(t, "it returned", func() { time.Sleep(2 * Limit) }) }, "never: it returned"},
		"what was there": {func(t testing.TB) { Receive(t, closed, "the end") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, ended := &failing{TB: t}, make(chan struct{})
				go func() { defer close(ended); c.wait(f) }()
				<-ended
				time.Sleep(2 * Limit) // what still runs ends
				if f.said != c.said {
					t.Errorf("it said %q, not %q", f.said, c.said)
				}
			})
		})
	}
}

func TestMatchPassesOverOthers(t *testing.T) {
	numbers := make(chan int, 3)
	for i := range 3 {
		numbers <- i
	}
	if got := Match(t, numbers, "two", func(i int) bool { return i == 2 }); got != 2 {
		t.Errorf("got %d", got)
	}
}

func TestContextSaysWhatTookSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := Context(t, "the answer")
		<-ctx.Done()
		if said := context.Cause(ctx).Error(); said != "never: the answer" {
			t.Error(said)
		}
	})
}

func TestCommandsThatInheritOutputAreNotWaitedFor(t *testing.T) {
	cmd := Command(t, "sh", "-c", "sleep 1000 & echo $!")
	cmd.WaitDelay = 10 * time.Millisecond
	out, err := cmd.Output()
	t.Logf("%s: %v", out, err)
	_ = Command(t, "kill", string(out[:max(0, len(out)-1)])).Run()
	if err == nil {
		t.Error("the output has an end, who has it must have been waited for")
	}
}
