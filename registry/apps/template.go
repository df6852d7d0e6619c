package apps

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

// wide are the columns of all kinds with a pod template and a selector that show with -o wide.
func wide[T resource.Object](template func(T) *corev1.PodTemplateSpec, selectorDoc string, selector func(T) *metav1.LabelSelector) []resource.Column[T] {
	return append(column.Containers(template), column.Selector(selectorDoc, selector))
}

func nameWarnings(name string) []string {
	if messages := validation.IsDNS1123Label(name); len(messages) > 0 {
		return []string{fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", messages)}
	}
	return nil
}

// templateWarnings are what core says about a pod template; old may be nil.
func templateWarnings(template, old *corev1.PodTemplateSpec) []string {
	return core.PodTemplateWarnings(template, old, field.NewPath("spec", "template"))
}
