package quietqueues_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	// What else brings a provider of metrics.
	_ "k8s.io/component-base/metrics/prometheus/workqueue"
	_ "sigs.k8s.io/controller-runtime/pkg/metrics"

	_ "github.com/coracle-k8s/coracle/cmd/quietqueues"
)

// tickers counts the tickers that run.
type tickers struct {
	clock.RealClock
	running atomic.Int32
}

func (t *tickers) NewTicker(d time.Duration) clock.Ticker {
	t.running.Add(1)
	return &ticker{t.RealClock.NewTicker(d), t}
}

type ticker struct {
	clock.Ticker
	of *tickers
}

func (t *ticker) Stop() {
	t.of.running.Add(-1)
	t.Ticker.Stop()
}

func TestNamedQueuesHaveNoTicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickers := &tickers{}
		queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Name: "any", Clock: tickers})
		synctest.Wait()
		if tickers.running.Load() == 0 {
			t.Error("the queue had no ticker to begin with: the package is not needed any more")
		}
		time.Sleep(time.Second)
		if tickers.running.Load() != 0 {
			t.Error("the ticker goes on: another provider of metrics was first")
		}
		queue.Add("item")
		if item, _ := queue.Get(); item != "item" {
			t.Errorf("got %q of the queue", item)
		}
		queue.Done("item")
		queue.ShutDown() // waits for the queue's goroutines
	})
}
