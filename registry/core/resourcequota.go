package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type resourceQuota = corev1.ResourceQuota

// ResourceQuotas bound what all objects of a namespace may use together.
func resourceQuotas() *resource.Resource[*resourceQuota] {
	return resource.Define(resource.Definition[*resourceQuota]{
		Name: "resourcequotas", Short: []string{"quota"}, Namespaced: true,
		Default:        core.DefaultResourceQuota,
		ValidateCreate: core.ValidateResourceQuota,
		ValidateUpdate: core.ValidateResourceQuotaUpdate,
		ReturnDeleted:  true,
		Columns: []resource.Column[*resourceQuota]{
			{Name: "Request", Description: "Request represents a minimum amount of cpu/memory that a container may consume.",
				Cell: func(q *resourceQuota) any { return usedOf(q, false) }},
			{Name: "Limit", Description: "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
				Cell: func(q *resourceQuota) any { return usedOf(q, true) }},
		},
		CopyStatus: func(into, from *resourceQuota) { into.Status = from.Status },
		Status:     &resource.Part[*resourceQuota]{Validate: core.ValidateResourceQuotaStatusUpdate},
	})
}

// usedOf shows used and hard amounts of the limits, or of all else.
func usedOf(q *resourceQuota, limits bool) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(q.Status.Hard)) {
		if strings.HasPrefix(string(name), "limits.") == limits {
			used, hard := q.Status.Used[name], q.Status.Hard[name]
			all = append(all, fmt.Sprintf("%s: %s/%s", name, used.String(), hard.String()))
		}
	}
	return strings.Join(all, ", ")
}
