package apps

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/apps"
	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type statefulSet = appsv1.StatefulSet

// StatefulSets keep pods with names and volumes of their own running. Pods are called after the set, so its name is a label.
func statefulSets() *resource.Resource[*statefulSet] {
	return resource.Define(resource.Definition[*statefulSet]{
		Name: "statefulsets", Short: []string{"sts"}, Categories: []string{"all"}, Namespaced: true,
		NameRule:       validation.NameIsDNSLabel,
		Default:        apps.DefaultStatefulSet,
		Gated:          core.GatedTemplate(func(s *statefulSet) *corev1.PodTemplateSpec { return &s.Spec.Template }),
		Tolerates:      core.TolerateTemplate(func(s *statefulSet) *corev1.PodTemplateSpec { return &s.Spec.Template }),
		Generation:     func(s *statefulSet) any { return &s.Spec },
		ValidateCreate: apps.ValidateStatefulSet,
		ValidateUpdate: apps.ValidateStatefulSetUpdate,
		Warnings:       statefulSetWarnings,
		Columns: append([]resource.Column[*statefulSet]{
			{Name: "Ready", Description: "Number of the pod with ready state", Cell: func(s *statefulSet) any {
				return fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, column.Int(s.Spec.Replicas))
			}},
		}, column.Containers(func(s *statefulSet) *corev1.PodTemplateSpec { return &s.Spec.Template })...),
		CopyStatus: func(into, from *statefulSet) { into.Status = from.Status },
		Status:     &resource.Part[*statefulSet]{Validate: apps.ValidateStatefulSetStatus},
		Scale: &resource.Scale[*statefulSet]{
			Replicas: func(s *statefulSet) **int32 { return &s.Spec.Replicas },
			Observed: func(s *statefulSet) int32 { return s.Status.Replicas },
			Selector: func(s *statefulSet) *metav1.LabelSelector { return s.Spec.Selector },
		},
	})
}

func statefulSetWarnings(_ context.Context, s, old *statefulSet) (all []string) {
	if old == nil {
		all = templateWarnings(&s.Spec.Template, nil)
	} else if s.Generation != old.Generation {
		all = templateWarnings(&s.Spec.Template, &old.Spec.Template)
	}
	if limit := s.Spec.RevisionHistoryLimit; limit != nil && *limit < 0 {
		all = append(all, "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
	}
	return all
}
