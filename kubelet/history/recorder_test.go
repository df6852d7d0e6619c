package history

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/meter"
)

// machine uses half a processor, and so does its Pod.
type machine struct {
	mu       sync.Mutex
	readings []time.Time
}

// read is when it was read.
func (m *machine) read() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.readings)
}

func (m *machine) use() (meter.Use, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readings = append(m.readings, time.Now())
	return meter.Use{CPU: time.Duration(time.Now().UnixNano()) / 2, Memory: 7}, nil
}

// run runs a recorder in a bubble of synctest.
func run(t *testing.T, m *machine) *Recorder {
	r := New(Config{
		NodeName: "n", Machine: m.use,
		Pods: func() []*corev1.Pod {
			return []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u"}}, {ObjectMeta: metav1.ObjectMeta{UID: "pending"}}}
		},
		Pod: func(uid types.UID) (meter.Use, error) {
			if uid != "u" {
				return meter.Use{}, fs.ErrNotExist
			}
			return meter.Use{CPU: time.Duration(time.Now().UnixNano()) / 2, Memory: 5}, nil
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

func TestItIsMeasuredAtWholeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		time.Sleep(17 * time.Second)
		r := run(t, m)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(m.read()) != 11 {
			t.Errorf("it was measured %d times in ten minutes, want the first and 10", len(m.read()))
		}
		for _, at := range m.read()[1:] {
			if at.Second() != 0 {
				t.Errorf("it was measured at %s", at)
			}
		}
		h := r.Hour("")
		if h.NodeName != "n" || h.show() != "- 500/7 500/7 500/7 500/7 500/7 500/7 500/7 500/7 500/7 500/7; p - 500/5 500/5 500/5 500/5 500/5 500/5 500/5 500/5 500/5 500/5" {
			t.Errorf("got %s of %s", h.show(), h.NodeName)
		}
	})
}

func TestWhoFollowsIsToldMoreOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first := &machine{}, time.Now()
		r := run(t, m)
		time.Sleep(2*time.Minute + 35*time.Second)
		ctx, leave := context.WithCancel(t.Context())
		var told []string
		var at []int
		ended := make(chan error)
		go func() {
			ended <- r.Follow(ctx, "u", func(h *History) error {
				told, at = append(told, h.show()), append(at, int(time.Since(first).Seconds()))
				return nil
			})
		}()
		time.Sleep(50 * time.Second)
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("following ended with %v", err)
		}
		// At once what is known, a reading, and one at every ten seconds.
		want := []string{"- 500/7 500/7; p - 500/5 500/5"}
		for range 6 {
			want = append(want, "500/7; p 500/5")
		}
		if !slices.Equal(told, want) || !slices.Equal(at, []int{155, 155, 160, 170, 180, 190, 200}) {
			t.Errorf("told %q at %d", told, at)
		}
		if got := r.Hour("").show(); got != "- 500/7 500/7 500/7 500/7; p - 500/5 500/5 500/5 500/5" {
			t.Errorf("what was measured between minutes is kept: %s", got)
		}
		synctest.Wait()
		measured := len(m.read())
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if more := len(m.read()) - measured; more != 3 {
			t.Errorf("it was measured %d times in 3 minutes after who followed had left", more)
		}
	})
}

func TestWhoComesAndGoesHasLittleMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		r := run(t, m)
		failed := errors.New("it does not read")
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if err := r.Follow(t.Context(), "", func(*History) error { return failed }); !errors.Is(err, failed) {
				t.Fatalf("following ended with %v", err)
			}
			synctest.Wait()
		}
		if len(m.read()) > 9 {
			t.Errorf("it was measured %d times in a minute", len(m.read()))
		}
		for i := 1; i < len(m.read()); i++ {
			if apart := m.read()[i].Sub(m.read()[i-1]); apart < least {
				t.Errorf("two readings are %s apart", apart)
			}
		}
	})
}

func TestAMachineThatCannotBeReadIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{Machine: func() (meter.Use, error) { return meter.Use{}, fs.ErrPermission }, Pods: func() []*corev1.Pod { return nil }})
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		r.Run(ctx)
		if got := r.Hour("").show(); got != "- -" {
			t.Errorf("got %q", got)
		}
	})
}
