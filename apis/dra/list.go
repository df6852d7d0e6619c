package dra

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
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

// unique refuses items with the key of an earlier one.
func unique[T any, K comparable](items []T, key func(*T) K, at *field.Path) (errs field.ErrorList) {
	var seen []K
	for i := range items {
		k := key(&items[i])
		if slices.Contains(seen, k) {
			errs = append(errs, field.Duplicate(at.Index(i), k))
		}
		seen = append(seen, k)
	}
	return errs
}

// eachUnique is each and, if the list is not too long, unique.
func eachUnique[T any, K comparable](items []T, most int, check func(*T, *field.Path) field.ErrorList, key func(*T) K, at *field.Path) field.ErrorList {
	errs := each(items, most, check, at)
	if len(items) > most {
		return errs
	}
	return append(errs, unique(items, key, at)...)
}

func itself(s *string) string { return *s }

func isTrue(b *bool) bool { return b != nil && *b }
