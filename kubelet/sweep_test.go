package kubelet

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// refusing is a runtime that starts nothing, and takes a minute to remove a sandbox.
type refusing struct{ cri.RuntimeService }

func (refusing) StartContainer(context.Context, string) error { return errors.New("no") }

func (refusing) RemovePodSandbox(context.Context, string) error {
	time.Sleep(time.Minute)
	return nil
}

func (refusing) ListPodSandbox(context.Context, *runtimeapi.PodSandboxFilter) ([]*runtimeapi.PodSandbox, error) {
	return []*runtimeapi.PodSandbox{{Id: "s"}}, nil
}

func (refusing) ListContainers(context.Context, *runtimeapi.ContainerFilter) ([]*runtimeapi.Container, error) {
	return []*runtimeapi.Container{{Id: "c"}}, nil
}

func TestSweepsFollowTheStartAndFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := runtime.NewWhole(refusing{})
		var mu sync.Mutex
		var befores []time.Time
		var failure error
		s := newSweeper(calls, func(ctx context.Context, before time.Time, known func(context.Context) (map[string]bool, error)) error {
			mu.Lock()
			defer mu.Unlock()
			befores = append(befores, before)
			if ids, err := known(ctx); err != nil || !ids["s"] || !ids["c"] {
				t.Errorf("known are %v, %v", ids, err)
			}
			return failure
		})
		go s.run(t.Context())
		swept := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(befores) != want {
				t.Errorf("%s: %d sweeps, want %d", what, len(befores), want)
			}
		}
		time.Sleep(time.Hour)
		swept("at the start", 1)
		fail := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			failure = err
		}
		fail(errors.New("full"))
		_ = calls.StartContainer(t.Context(), "c")
		_ = calls.StartContainer(t.Context(), "c")
		time.Sleep(2*sweepPause + time.Second)
		swept("after failures, and as one fails itself", 3)
		fail(nil)
		time.Sleep(time.Hour)
		swept("when one has not failed", 4)

		began := time.Now()
		go func() { _ = calls.RemovePodSandbox(t.Context(), "s") }()
		time.Sleep(30 * time.Second)
		_ = calls.StartContainer(t.Context(), "c")
		time.Sleep(sweepPause)
		swept("beside a call", 5)
		mu.Lock()
		last := befores[4]
		mu.Unlock()
		if !last.Equal(began) {
			t.Errorf("a sweep beside a call that began at %s is of what was before %s", began, last)
		}
		time.Sleep(time.Hour)
		swept("a while after a call that did not fail", 6)
	})
}
