package api

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

// A server that waited for those who watch would be away for a minute at each restart.
func TestAServerThatStopsEndsWatches(t *testing.T) {
	r, stop := apitest.StartIn(t, t.TempDir())
	client := r.Client(t)
	pods, err := client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer pods.Stop()
	began := time.Now()
	stop()
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("stopping took %s", took)
	}
	await.Return(t, "the watch ended", func() {
		for e := range pods.ResultChan() {
			if e.Type == watch.Error {
				t.Errorf("the watch ends with %v", e.Object)
			}
		}
	})
}
