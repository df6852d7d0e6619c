package part

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPartIsRunAgainWhateverEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		var starts []time.Duration
		p := Part{"test", func(ctx context.Context) error {
			starts = append(starts, time.Since(began))
			switch len(starts) {
			case 1:
				return errors.New("broken")
			case 2:
				panic("worse")
			case 3:
				return nil
			case 4:
				time.Sleep(2 * steady) // steady now: the pauses begin anew
				return errors.New("broken again")
			default:
				cancel()
				<-ctx.Done()
				return nil
			}
		}}
		p.KeepRunning(ctx)
		want := []time.Duration{0, firstPause, 3 * firstPause, 7 * firstPause, 8*firstPause + 2*steady}
		if len(starts) != len(want) {
			t.Fatalf("started at %v, want %v", starts, want)
		}
		for i := range want {
			if starts[i] != want[i] {
				t.Errorf("start %d after %v, want %v", i, starts[i], want[i])
			}
		}
	})
}
