// Package faults makes guarded work panic in tests.
package faults

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/coracle-k8s/coracle/guard"
)

// Faults lets guarded work panic as it begins.
type Faults struct {
	spared []string
	before map[string]int // what had been counted by work

	mu       sync.Mutex
	all      bool
	began    map[string]int // by work
	panicked map[string]int
	armed    string
	spent    chan struct{} // closed when the armed one has panicked
}

// Inject begins with no faults. It lasts until the test ends, after all that the test started later. The works that are named
// never panic by All, and are no Works.
func Inject(t *testing.T, spared ...string) *Faults {
	f := &Faults{spared: spared, before: counts(t), began: map[string]int{}, panicked: map[string]int{}}
	t.Cleanup(guard.InjectFaults(func(work string) {
		if f.hits(work) {
			panic("injected into " + work)
		}
	}))
	return f
}

func (f *Faults) hits(work string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.began[work]++
	switch {
	case f.armed == work:
		f.armed = ""
		close(f.spent)
	case f.all && f.panicked[work] == 0 && !slices.Contains(f.spared, work):
	default:
		return false
	}
	f.panicked[work]++
	return true
}

// All lets each work panic once, the next time that it begins, from now on.
func (f *Faults) All() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = true
}

// Arm lets one work panic the next time that it begins, in place of the one that was armed before.
func (f *Faults) Arm(work string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.spent = work, make(chan struct{})
}

// Disarm lets the armed one go on.
func (f *Faults) Disarm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = ""
}

// Spent waits for a moment for the armed work's panic, and tells whether it has come. What never begins ends the test.
func (f *Faults) Spent(t *testing.T, work string) bool {
	t.Helper()
	f.mu.Lock()
	spent := f.spent
	f.mu.Unlock()
	select {
	case <-spent:
		return true
	case <-t.Context().Done():
		t.Fatalf("never: %s began again", work)
	case <-time.After(20 * time.Millisecond):
	}
	return false
}

// Works are all that have begun.
func (f *Faults) Works() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.began)), func(work string) bool { return slices.Contains(f.spared, work) })
}

// Panicked are the works that have.
func (f *Faults) Panicked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.panicked))
}

// Recurring are the works that begin again and again: those that began at least twice in some time.
func (f *Faults) Recurring(t *testing.T, within time.Duration) []string {
	t.Helper()
	f.mu.Lock()
	before := maps.Clone(f.began)
	f.mu.Unlock()
	select {
	case <-time.After(within):
	case <-t.Context().Done():
	}
	var again []string
	for _, work := range f.Works() {
		f.mu.Lock()
		if f.began[work] >= before[work]+2 {
			again = append(again, work)
		}
		f.mu.Unlock()
	}
	return again
}

// Counted fails the test where a panic is not in the process's metrics.
func (f *Faults) Counted(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	now := counts(t)
	for work, times := range f.panicked {
		if counted := now[work] - f.before[work]; counted < times {
			t.Errorf("%s panicked %d times, %d are counted", work, times, counted)
		}
	}
}

// counts are coracle_panics_total by work.
func counts(t *testing.T) map[string]int {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, family := range families {
		if family.GetName() != "coracle_panics_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				all[label.GetValue()] += int(m.GetCounter().GetValue())
			}
		}
	}
	return all
}
