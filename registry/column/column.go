// Package column has the table columns and cells that kinds of several groups share.
package column

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// Containers are the wide columns with names and images of a template's containers.
func Containers[T resource.Object](template func(T) *corev1.PodTemplateSpec) []resource.Column[T] {
	return []resource.Column[T]{
		{Name: "Containers", Priority: 1, Description: "Names of each container in the template.", Cell: func(obj T) any { return Names(template(obj)) }},
		{Name: "Images", Priority: 1, Description: "Images referenced by each container in the template.", Cell: func(obj T) any { return Images(template(obj)) }},
	}
}

// Selector is the wide column with a label selector.
func Selector[T resource.Object](description string, selector func(T) *metav1.LabelSelector) resource.Column[T] {
	return resource.Column[T]{Name: "Selector", Priority: 1, Description: description, Cell: func(obj T) any {
		return metav1.FormatLabelSelector(selector(obj))
	}}
}

// Names of the containers of a pod template, separated by commas.
func Names(t *corev1.PodTemplateSpec) string {
	var all []string
	for _, c := range t.Spec.Containers {
		all = append(all, c.Name)
	}
	return strings.Join(all, ",")
}

// Images of the containers of a pod template, separated by commas.
func Images(t *corev1.PodTemplateSpec) string {
	var all []string
	for _, c := range t.Spec.Containers {
		all = append(all, c.Image)
	}
	return strings.Join(all, ",")
}

// Int is a number as the library wants it in a table: int64. Nil is 0.
func Int[N ~int32 | ~int64](n *N) int64 {
	if n == nil {
		return 0
	}
	return int64(*n)
}

// Text is a string that may be missing.
func Text[S ~string](s *S, missing string) string {
	if s == nil {
		return missing
	}
	return string(*s)
}

// Name is the first column, for tables that do not have name and age where the kit puts them.
func Name[T resource.Object]() resource.Column[T] {
	return resource.Column[T]{Name: "Name", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"], Cell: func(obj T) any {
		return meta(obj).Name
	}}
}

// Age is the column with the time since creation.
func Age[T resource.Object]() resource.Column[T] {
	return resource.Column[T]{Name: "Age", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"], Cell: func(obj T) any {
		return resource.Age(meta(obj).CreationTimestamp.Time)
	}}
}

func meta(obj metav1.ObjectMetaAccessor) *metav1.ObjectMeta {
	return obj.GetObjectMeta().(*metav1.ObjectMeta)
}
