package admissionregistration

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// staticSuffix ends the names of policies and webhooks that are read from files of an API server. They are in no store.
const staticSuffix = ".static.k8s.io"

// ValidateNotStatic keeps new objects from the names of what API servers read from files.
func ValidateNotStatic[T metav1.Object](obj T) field.ErrorList {
	if name := obj.GetName(); strings.HasSuffix(name, staticSuffix) {
		return field.ErrorList{field.Invalid(field.NewPath("metadata", "name"), name,
			fmt.Sprintf("names ending with %q are reserved for static manifest-based configurations and cannot be managed via the API", staticSuffix))}
	}
	return nil
}
