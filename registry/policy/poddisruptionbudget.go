package policy

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coracle-k8s/coracle/apis/policy"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type budget = policyv1.PodDisruptionBudget

// PodDisruptionBudgets limit how many pods may be evicted at a time.
func podDisruptionBudgets() *resource.Resource[*budget] {
	return resource.Define(resource.Definition[*budget]{
		Name: "poddisruptionbudgets", Short: []string{"pdb"}, Namespaced: true,
		NameRule:        path.ValidatePathSegmentName,
		Generation:      func(b *budget) any { return &b.Spec },
		Validate:        policy.ValidatePodDisruptionBudget,
		VersionRequired: true,
		Columns: []resource.Column[*budget]{
			{Name: "Min Available", Description: "The minimum number of pods that must be available.", Cell: func(b *budget) any { return amount(b.Spec.MinAvailable) }},
			{Name: "Max Unavailable", Description: "The maximum number of pods that may be unavailable.", Cell: func(b *budget) any { return amount(b.Spec.MaxUnavailable) }},
			{Name: "Allowed Disruptions", Type: "integer", Description: "Calculated number of pods that may be disrupted at this time.", Cell: func(b *budget) any { return int64(b.Status.DisruptionsAllowed) }},
		},
		CopyStatus: func(into, from *budget) { into.Status = from.Status },
		Status:     &resource.Part[*budget]{Validate: policy.ValidatePodDisruptionBudgetStatus},
	})
}

func amount(n *intstr.IntOrString) string {
	if n == nil {
		return "N/A"
	}
	return n.String()
}
