package tee

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/diff"
)

// Mutations describes the shared objects that somebody has changed, since the start. Without detection there are none.
func (h *Hub) Mutations() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, k := range h.kinds {
		k.mu.Lock()
		for _, o := range k.items {
			k.detector.check(o)
		}
		all = append(all, k.detector.report()...)
		k.mu.Unlock()
	}
	return all
}

// detector compares shared objects with copies from when they were first shared. A nil detector does nothing.
type detector struct {
	mu     sync.Mutex
	copies map[runtime.Object]runtime.Object
	found  []string
}

func newDetector() *detector { return &detector{copies: map[runtime.Object]runtime.Object{}} }

func (d *detector) keep(o runtime.Object) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.copies[o] = o.DeepCopyObject()
}

// check compares o a last time before it is replaced; the copy stays until forgotten.
func (d *detector) check(o runtime.Object) {
	if d == nil || o == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if was, ok := d.copies[o]; ok && !equality.Semantic.DeepEqual(was, o) {
		m := access(o)
		d.found = append(d.found, fmt.Sprintf("%T %s was changed in place:\n%s", o, keyOf(m), diff.Diff(was, o)))
		d.copies[o] = o.DeepCopyObject()
	}
}

func (d *detector) forget() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.copies)
}

func (d *detector) report() []string {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.found...)
}
