package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object is a pointer to a role or binding.
type object[T any] interface {
	metav1.Object
	DeepCopy() T
}

// kind is how objects of one kind are brought up to date.
type kind[T object[T]] struct {
	// merge changes the stored object (a copy) and reports whether it had to.
	merge func(stored, wanted T) bool
	// replaced reports that an update cannot make the stored object the wanted one; nil: it always can.
	replaced func(stored, wanted T) bool
}

// plan is what has to be written.
type plan[T any] struct {
	create, update []T
	// replace are to be deleted, as stored, and created anew, as wanted.
	replace []replacement[T]
}

type replacement[T any] struct{ stored, wanted T }

// compare makes the plan. stored objects are not changed.
func (k kind[T]) compare(stored, wanted []T) plan[T] {
	var p plan[T]
	known := make(map[string]T, len(stored))
	for _, s := range stored {
		known[s.GetNamespace()+"/"+s.GetName()] = s
	}
	for _, w := range wanted {
		s, found := known[w.GetNamespace()+"/"+w.GetName()]
		switch {
		case !found:
			p.create = append(p.create, w)
		case protected(s):
		case k.replaced != nil && k.replaced(s, w):
			p.replace = append(p.replace, replacement[T]{s, w})
		default:
			changed := s.DeepCopy()
			if k.merge(changed, w) {
				p.update = append(p.update, changed)
			}
		}
	}
	return p
}
