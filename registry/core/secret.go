package core

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type secret = corev1.Secret

// Secrets hold what only some may read.
func secrets() *resource.Resource[*secret] {
	doc := secret{}.SwaggerDoc()
	return resource.Define(resource.Definition[*secret]{
		Name: "secrets", Namespaced: true,
		Default:        core.DefaultSecret,
		Validate:       core.ValidateSecret,
		ValidateUpdate: core.ValidateSecretUpdate,
		Warnings:       func(_ context.Context, s, _ *secret) []string { return core.SecretWarnings(s) },
		Fields: []resource.Field[*secret]{
			{Path: "type", Value: func(s *secret) string { return string(s.Type) }},
		},
		Columns: []resource.Column[*secret]{
			{Name: "Type", Description: doc["type"], Cell: func(s *secret) any { return string(s.Type) }},
			{Name: "Data", Description: doc["data"], Cell: func(s *secret) any { return int64(len(s.Data)) }},
		},
	})
}
