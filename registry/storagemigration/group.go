// Package storagemigration declares the resources of storagemigration.k8s.io.
package storagemigration

import (
	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coracle-k8s/coracle/apis/storagemigration"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type migration = storagemigrationv1.StorageVersionMigration

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{storageVersionMigrations()}
}

// StorageVersionMigrations write all objects of a resource once more, so that all are stored as new ones are.
func storageVersionMigrations() *resource.Resource[*migration] {
	return resource.Define(resource.Definition[*migration]{
		Name:            "storageversionmigrations",
		Validate:        storagemigration.Validate,
		ValidateUpdate:  storagemigration.ValidateUpdate,
		VersionRequired: true,
		Columns: []resource.Column[*migration]{
			{Name: "Name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"], Cell: func(m *migration) any { return m.Name }},
			{Name: "Resource", Description: "GroupResource to migrate", Cell: func(m *migration) any {
				return schema.GroupResource(m.Spec.Resource).String()
			}},
			{Name: "Status", Description: "Status of the migration", Cell: state},
		},
		CopyStatus: func(into, from *migration) { into.Status = from.Status },
		Status: &resource.Part[*migration]{
			FreezeMetadata: true,
			Validate:       storagemigration.ValidateStatus,
			Resets:         []string{"metadata", "spec"},
		},
	})
}

// state is the last condition that the migration has.
func state(m *migration) any {
	last := "Unknown"
	for _, c := range m.Status.Conditions {
		if c.Status != metav1.ConditionTrue {
			continue
		}
		switch kind := storagemigrationv1.MigrationConditionType(c.Type); kind {
		case storagemigrationv1.MigrationRunning, storagemigrationv1.MigrationFailed, storagemigrationv1.MigrationSucceeded:
			last = c.Type
		}
	}
	return last
}
