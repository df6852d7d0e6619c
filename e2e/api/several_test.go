package api

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func TestServersInOneProcessDoNotMix(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := apitest.Start(t)
			ctx, client := apitest.Context(t), r.Client(t).CoreV1().ConfigMaps("default")
			for j := range 20 {
				if _, err := client.Create(ctx, configMap(fmt.Sprintf("of-%d-%d", i, j)), metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			list, err := client.List(ctx, metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			own := 0
			for _, o := range list.Items {
				if strings.HasPrefix(o.Name, fmt.Sprintf("of-%d-", i)) {
					own++
				} else {
					t.Errorf("found %s", o.Name)
				}
			}
			if own != 20 {
				t.Errorf("%d of 20 objects", own)
			}
		})
	}
}

// alone says that a test has the process for itself.
const alone = "CORACLE_APITEST_ALONE"

// The libraries start a few goroutines once in a process; a second server must leave none. It counts those of a process of its own, as
// others run meanwhile: some goroutines take a minute to end.
func TestStoppedServerLeavesNoGoroutines(t *testing.T) {
	if os.Getenv(alone) == "" {
		t.Parallel()
		cmd := await.Command(t, os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), alone+"=yes")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	startAndStop := func() {
		r, stop := apitest.StartIn(t, t.TempDir())
		if _, err := r.Client(t).CoreV1().Namespaces().List(apitest.Context(t), metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
		stop()
	}
	startAndStop()
	before := settled(t, 0)
	startAndStop()
	if after := settled(t, before); after > before {
		var stacks strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		t.Errorf("%d goroutines, %d before:\n%s", after, before, stacks.String())
	}
}

// settled waits until there are no more than the given number of goroutines, or for as long as some need to end.
func settled(t *testing.T, wanted int) int {
	t.Helper()
	const slowest = time.Minute
	for end := time.Now().Add(slowest); runtime.NumGoroutine() > wanted && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}
