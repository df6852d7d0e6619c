package core

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type limitRange = corev1.LimitRange

// LimitRanges bound what single pods, containers and claims of a namespace may ask for.
func limitRanges() *resource.Resource[*limitRange] {
	return resource.Define(resource.Definition[*limitRange]{
		Name: "limitranges", Short: []string{"limits"}, Namespaced: true,
		Default: core.DefaultLimitRange,
		PrepareForCreate: func(_ context.Context, l *limitRange) {
			if l.Name == "" {
				l.Name = string(uuid.NewUUID())
			}
		},
		Validate:       core.ValidateLimitRange,
		CreateOnUpdate: true,
		Columns:        resource.CreatedAt[*limitRange](),
	})
}
