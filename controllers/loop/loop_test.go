package loop

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/workqueue"
)

func TestQueueDelaysWithoutTickers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := NewQueue("", workqueue.DefaultTypedControllerRateLimiter[string]())
		defer queue.ShutDown()
		began := time.Now()
		queue.AddAfter("later", time.Hour)
		queue.AddAfter("sooner", time.Minute)
		for _, want := range []struct {
			item  string
			after time.Duration
		}{{"sooner", time.Minute}, {"later", time.Hour}} {
			item, _ := queue.Get()
			if took := time.Since(began); item != want.item || took != want.after {
				t.Errorf("%s came after %v, want %s after %v", item, took, want.item, want.after)
			}
			queue.Done(item)
		}
	})
}
