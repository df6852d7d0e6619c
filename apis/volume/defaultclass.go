package volume

import (
	"cmp"
	"slices"

	storagev1 "k8s.io/api/storage/v1"
)

// DefaultClassAnnotation marks a class with "true".
const DefaultClassAnnotation = "storageclass.kubernetes.io/is-default-class"

// IsDefaultClass reports whether a class is marked to be that of claims that say nothing.
// https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
func IsDefaultClass(c *storagev1.StorageClass) bool {
	return c.Annotations[DefaultClassAnnotation] == "true" || c.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"
}

// DefaultClass is the newest of the classes that are marked as default, of those of the same age the first by name; nil if there is none.
func DefaultClass(classes []*storagev1.StorageClass) *storagev1.StorageClass {
	var marked []*storagev1.StorageClass
	for _, c := range classes {
		if IsDefaultClass(c) {
			marked = append(marked, c)
		}
	}
	if len(marked) == 0 {
		return nil
	}
	return slices.MinFunc(marked, func(a, b *storagev1.StorageClass) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
}
