// Package storagemigration says what the objects of storagemigration.k8s.io mean.
package storagemigration

import (
	"fmt"
	"strings"

	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

type migration = storagemigrationv1.StorageVersionMigration

// Validate checks which resource is migrated.
// https://kubernetes.io/docs/tasks/manage-kubernetes-objects/storage-version-migration/
func Validate(m *migration) (errs field.ErrorList) {
	group, resource := field.NewPath("spec", "resource", "group"), field.NewPath("spec", "resource", "resource")
	name := func(at *field.Path, value string, problems []string) {
		if len(problems) > 0 {
			errs = append(errs, field.Invalid(at, value, strings.Join(problems, ",")))
		}
	}
	if of := m.Spec.Resource.Resource; of == "" {
		errs = append(errs, field.Required(resource, "resource is required to be set"))
	} else {
		name(resource, of, validation.IsDNS1035Label(of))
	}
	if of := m.Spec.Resource.Group; of != "" {
		name(group, of, validation.IsDNS1123Subdomain(of))
	}
	return errs
}

// ValidateUpdate checks that it stays the same.
func ValidateUpdate(m, old *migration) field.ErrorList {
	return rule.Declared(rule.Immutable(m.Spec, old.Spec, field.NewPath("spec"))...)
}

// ValidateStatus checks how far the migration is: it does not begin anew, and its end is final.
func ValidateStatus(m, old *migration) (errs field.ErrorList) {
	at, conditions := field.NewPath("status", "resourceVersion"), field.NewPath("status", "conditions")
	if v := m.Status.ResourceVersion; v != "" {
		if _, err := resourceversion.CompareResourceVersion(v, v); err != nil {
			errs = append(errs, field.Invalid(at, v, err.Error()))
		}
	}
	errs = append(errs, metav1validation.ValidateConditions(m.Status.Conditions, conditions)...)
	if was := old.Status.ResourceVersion; was != "" && was != m.Status.ResourceVersion {
		errs = append(errs, field.Invalid(at, m.Status.ResourceVersion, "field is immutable"))
	}
	if Is(m, storagemigrationv1.MigrationSucceeded) && Is(m, storagemigrationv1.MigrationFailed) {
		errs = append(errs, field.Invalid(conditions, m.Status.Conditions, "Both success and failed conditions cannot be true at the same time"))
	}
	for _, end := range []struct {
		kind storagemigrationv1.MigrationConditionType
		name string
	}{{storagemigrationv1.MigrationSucceeded, "Success"}, {storagemigrationv1.MigrationFailed, "Failed"}} {
		if Is(old, end.kind) && !Is(m, end.kind) {
			errs = append(errs, field.Invalid(conditions, m.Status.Conditions, fmt.Sprintf("%s condition cannot be set to false once it is true", end.name)))
		}
	}
	return errs
}

// Is reports whether the migration has the condition.
func Is(m *migration, kind storagemigrationv1.MigrationConditionType) bool {
	return meta.IsStatusConditionTrue(m.Status.Conditions, string(kind))
}
