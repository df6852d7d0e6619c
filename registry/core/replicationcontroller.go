package core

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type replicationController = corev1.ReplicationController

// ReplicationControllers keep a number of identical pods running, as ReplicaSets do now.
func replicationControllers() *resource.Resource[*replicationController] {
	spec, status := corev1.ReplicationControllerSpec{}.SwaggerDoc(), corev1.ReplicationControllerStatus{}.SwaggerDoc()
	return resource.Define(resource.Definition[*replicationController]{
		Name: "replicationcontrollers", Short: []string{"rc"}, Categories: []string{"all"}, Namespaced: true,
		Default:    core.DefaultReplicationController,
		Gated:      core.GatedTemplate(templateOf),
		Tolerates:  core.TolerateTemplate(templateOf),
		Generation: func(rc *replicationController) any { return &rc.Spec },
		Validate:   core.ValidateReplicationController,
		Warnings:   replicationControllerWarnings,
		Dependents: rest.OrphanDependents,
		Fields: []resource.Field[*replicationController]{
			{Path: "status.replicas", Value: func(rc *replicationController) string { return strconv.Itoa(int(rc.Status.Replicas)) }},
		},
		Columns: append([]resource.Column[*replicationController]{
			{Name: "Desired", Type: "integer", Description: spec["replicas"], Cell: func(rc *replicationController) any { return column.Int(rc.Spec.Replicas) }},
			{Name: "Current", Type: "integer", Description: status["replicas"], Cell: func(rc *replicationController) any { return int64(rc.Status.Replicas) }},
			{Name: "Ready", Type: "integer", Description: status["readyReplicas"], Cell: func(rc *replicationController) any { return int64(rc.Status.ReadyReplicas) }},
		}, append(column.Containers(templateOf), resource.Column[*replicationController]{
			Name: "Selector", Priority: 1, Description: spec["selector"], Cell: func(rc *replicationController) any { return labels.FormatLabels(rc.Spec.Selector) },
		})...),
		CopyStatus: func(into, from *replicationController) { into.Status = from.Status },
		Status:     &resource.Part[*replicationController]{Validate: core.ValidateReplicationControllerStatusUpdate},
		Scale: &resource.Scale[*replicationController]{
			Replicas: func(rc *replicationController) **int32 { return &rc.Spec.Replicas },
			Observed: func(rc *replicationController) int32 { return rc.Status.Replicas },
			Selector: func(rc *replicationController) *metav1.LabelSelector {
				return &metav1.LabelSelector{MatchLabels: rc.Spec.Selector}
			},
		},
	})
}

// templateOf is the controller's template, or an empty one.
func templateOf(rc *replicationController) *corev1.PodTemplateSpec {
	if rc.Spec.Template == nil {
		return &corev1.PodTemplateSpec{}
	}
	return rc.Spec.Template
}

func replicationControllerWarnings(_ context.Context, rc, old *replicationController) []string {
	at := field.NewPath("spec", "template")
	if old != nil {
		if rc.Generation == old.Generation {
			return nil
		}
		return core.PodTemplateWarnings(templateOf(rc), templateOf(old), at)
	}
	var warnings []string
	if messages := validation.IsDNS1123Label(rc.Name); len(messages) > 0 {
		warnings = append(warnings, fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", messages))
	}
	return append(warnings, core.PodTemplateWarnings(templateOf(rc), nil, at)...)
}
