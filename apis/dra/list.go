package dra

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// each checks the items of a list that may not be too long.
func each[T any](items []T, most int, check func(*T, *field.Path) field.ErrorList, at *field.Path) (errs field.ErrorList) {
	if len(items) > most {
		return field.ErrorList{field.TooMany(at, len(items), most)}
	}
	for i := range items {
		errs = append(errs, check(&items[i], at.Index(i))...)
	}
	return errs
}

// unique refuses items with the key of an earlier one; the error shows what shown says.
func unique[T any, K comparable](items []T, key func(*T) K, shown func(*T) any, at *field.Path) (errs field.ErrorList) {
	seen := map[K]bool{}
	for i := range items {
		k := key(&items[i])
		if seen[k] {
			errs = append(errs, field.Duplicate(at.Index(i), shown(&items[i])))
		}
		seen[k] = true
	}
	return errs
}

// eachUnique is each and, if the list is not too long, unique.
func eachUnique[T any, K comparable](items []T, most int, check func(*T, *field.Path) field.ErrorList, key func(*T) K, at *field.Path) field.ErrorList {
	errs := each(items, most, check, at)
	if len(items) > most {
		return errs
	}
	return append(errs, unique(items, key, func(item *T) any { return key(item) }, at)...)
}

// eachOnce is eachUnique for lists that upstream declares to be sets: errors show the whole item.
func eachOnce[T any, K comparable](items []T, most int, check func(*T, *field.Path) field.ErrorList, key func(*T) K, at *field.Path) field.ErrorList {
	errs := each(items, most, check, at)
	if len(items) > most {
		return errs
	}
	return append(errs, rule.Declared(unique(items, key, func(item *T) any { return rule.AsServed{Value: *item} }, at)...)...)
}

func itself(s *string) string { return *s }

func shown(s *string) any { return *s }

func isTrue(b *bool) bool { return b != nil && *b }
