package runtime

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// slow takes its time to make a sandbox.
type slow struct {
	cri.RuntimeService
	takes time.Duration
}

func (s slow) RunPodSandbox(ctx context.Context, _ *runtimeapi.PodSandboxConfig, _ string) (string, error) {
	select {
	case <-time.After(s.takes):
		return "made", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func TestWhatIsGivenUpIsStillMadeWhole(t *testing.T) {
	for name, tt := range map[string]struct {
		takes, ends time.Duration
		err         error
	}{
		"in time":      {takes: linger - time.Second, ends: linger - time.Second},
		"never at all": {takes: time.Hour, ends: linger + time.Second, err: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failed := 0
				w := NewWhole(slow{takes: tt.takes})
				w.Ended = func(err error) {
					if err != nil {
						failed++
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				began := time.Now()
				time.AfterFunc(2*time.Second, func() {
					if got := w.Before(); !got.Equal(began) {
						t.Errorf("all is said to have ended before %s, while a call of %s goes on", got, began)
					}
				})
				id, err := w.RunPodSandbox(ctx, nil, "")
				if took := time.Since(began); took != tt.ends || !errors.Is(err, tt.err) || (id == "made") != (err == nil) {
					t.Errorf("after %s: %q, %v", took, id, err)
				}
				if (failed == 1) != (err != nil) {
					t.Errorf("told of %d failures of %v", failed, err)
				}
				if got := w.Before(); !got.Equal(time.Now()) {
					t.Errorf("at %s all is said to have ended before %s", time.Now(), got)
				}
			})
		})
	}
}
