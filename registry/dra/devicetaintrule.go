package dra

import (
	"context"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type taintRule = resourcev1.DeviceTaintRule

// DeviceTaintRules taint devices besides what their drivers say.
func deviceTaintRules() *resource.Resource[*taintRule] {
	doc := resourcev1.DeviceTaint{}.SwaggerDoc()
	return resource.Define(resource.Definition[*taintRule]{
		Name:             "devicetaintrules",
		Default:          func(r *taintRule) { dra.DefaultTaintRule(r, metav1.Now()) },
		Generation:       func(r *taintRule) any { return &r.Spec },
		PrepareForUpdate: func(_ context.Context, r, old *taintRule) { dra.TimeEffect(r, old, metav1.Now()) },
		ValidateCreate:   func(r *taintRule) field.ErrorList { return dra.ValidateTaintRule(r, nil) },
		ValidateUpdate:   dra.ValidateTaintRule,
		VersionRequired:  true,
		Columns: []resource.Column[*taintRule]{
			{Name: "Key", Description: doc["key"], Cell: func(r *taintRule) any { return r.Spec.Taint.Key }},
			{Name: "Value", Description: doc["value"], Cell: func(r *taintRule) any { return r.Spec.Taint.Value }},
			{Name: "Effect", Description: doc["effect"], Cell: func(r *taintRule) any { return string(r.Spec.Taint.Effect) }},
			{Name: "TimeAdded", Description: doc["timeAdded"], Cell: func(r *taintRule) any {
				if added := r.Spec.Taint.TimeAdded; added != nil {
					return resource.Age(added.Time)
				}
				return ""
			}},
		},
		CopyStatus: func(into, from *taintRule) { into.Status = from.Status },
		Status: &resource.Part[*taintRule]{
			FreezeMetadata: true,
			Validate:       dra.ValidateTaintRuleStatus,
			Resets:         []string{"metadata", "spec"},
		},
	})
}
