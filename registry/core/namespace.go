package core

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type namespace = corev1.Namespace

// Namespaces are deleted in two steps: DELETE marks them, and the update that takes the last of spec.finalizers away
// removes them.
func namespaces() *resource.Resource[*namespace] {
	return resource.Define(resource.Definition[*namespace]{
		Name: "namespaces", Short: []string{"ns"}, NameRule: validation.NameIsDNSLabel,
		Default: core.DefaultNamespace,
		PrepareForCreate: func(_ context.Context, ns *namespace) {
			ns.Status.Phase = corev1.NamespaceActive
			if !slices.Contains(ns.Spec.Finalizers, corev1.FinalizerKubernetes) {
				ns.Spec.Finalizers = append(ns.Spec.Finalizers, corev1.FinalizerKubernetes)
			}
		},
		PrepareForUpdate: func(_ context.Context, ns, old *namespace) { ns.Spec.Finalizers = old.Spec.Finalizers },
		Canonicalize:     core.LabelNamespace,
		Validate:         core.ValidateNamespace,
		DeleteLater: func(ns *namespace) bool {
			ns.Status.Phase = corev1.NamespaceTerminating
			return ns.DeletionTimestamp == nil || len(ns.Spec.Finalizers) > 0
		},
		ReturnDeleted: true, NoDeleteCollection: true,
		Fields: []resource.Field[*namespace]{
			{Path: "status.phase", Value: func(ns *namespace) string { return string(ns.Status.Phase) }},
		},
		Columns: []resource.Column[*namespace]{
			{Name: "Status", Description: "The status of the namespace", Cell: func(ns *namespace) any { return string(ns.Status.Phase) }},
		},
		CopyStatus: func(into, from *namespace) { into.Status = from.Status },
		Status:     &resource.Part[*namespace]{Validate: core.ValidateNamespaceStatusUpdate},
		Subresources: map[string]resource.Subresource[*namespace]{
			"finalize": resource.Part[*namespace]{
				Writes:     func(into, from *namespace) { into.Spec.Finalizers = from.Spec.Finalizers },
				Validate:   core.ValidateNamespaceFinalize,
				Resets:     []string{"status"},
				UpdateOnly: true,
			},
		},
	})
}
