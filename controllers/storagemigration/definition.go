package storagemigration

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	migrationv1 "k8s.io/api/storagemigration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/apis/storagemigration"
)

// definition is the resource's CustomResourceDefinition, nil if it has none. It is read from the server.
func (r *controller) definition(ctx context.Context, of metav1.GroupResource) (*apiextensionsv1.CustomResourceDefinition, error) {
	var found unstructured.Unstructured
	found.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	err := r.direct.Get(ctx, client.ObjectKey{Name: of.Resource + "." + of.Group}, &found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	return definition, runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, definition)
}

// startOfDefinition notes in which generation the definition is migrated: only if it stays that, the end tells what is stored.
func (r *controller) startOfDefinition(ctx context.Context, m *migration) error {
	definition, err := r.definition(ctx, m.Spec.Resource)
	if definition == nil || err != nil {
		return err
	}
	return r.apply(ctx, definition, apiextensionsv1.ConditionTrue, reasonRunning, fmt.Sprintf("Migration %s is running", m.Name), nil)
}

// endOfDefinition leaves of the versions that objects may be stored in the one that all are stored in now.
func (r *controller) endOfDefinition(ctx context.Context, m *migration) error {
	definition, err := r.definition(ctx, m.Spec.Resource)
	if definition == nil || err != nil {
		return err
	}
	if !storagemigration.Is(m, migrationv1.MigrationSucceeded) {
		return r.apply(ctx, definition, apiextensionsv1.ConditionFalse, "MigrationFailed", "The migration has failed", nil)
	}
	stored := storedNow(definition)
	message := "The migration has succeeded and the stored versions have been updated"
	if stored == nil {
		message = "The migration has succeeded but the stored versions have not been updated due to a generation mismatch"
	}
	return r.apply(ctx, definition, apiextensionsv1.ConditionFalse, "MigrationSucceeded", message, stored)
}

// storedNow is nothing if the definition has changed since the migration began.
func storedNow(definition *apiextensionsv1.CustomResourceDefinition) []string {
	for _, c := range definition.Status.Conditions {
		if c.Type != apiextensionsv1.StorageMigrating || c.ObservedGeneration != definition.Generation {
			continue
		}
		for _, version := range definition.Spec.Versions {
			if version.Storage {
				return []string{version.Name}
			}
		}
	}
	return nil
}

// apply writes the status of exactly what was read.
func (r *controller) apply(ctx context.Context, definition *apiextensionsv1.CustomResourceDefinition, status apiextensionsv1.ConditionStatus,
	reason, message string, stored []string) error {
	changed := map[string]any{"conditions": []any{map[string]any{
		"type": apiextensionsv1.StorageMigrating, "status": status, "reason": reason, "message": message,
		"lastTransitionTime": r.now().UTC().Format(time.RFC3339), "observedGeneration": definition.Generation,
	}}}
	if stored != nil {
		changed["storedVersions"] = stored
	}
	var to unstructured.Unstructured
	to.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	to.SetName(definition.Name)
	data, err := json.Marshal(map[string]any{
		"apiVersion": to.GetAPIVersion(), "kind": to.GetKind(),
		"metadata": map[string]any{"name": definition.Name, "resourceVersion": definition.ResourceVersion}, "status": changed,
	})
	if err != nil {
		return err
	}
	err = r.direct.Status().Patch(ctx, &to, client.RawPatch(types.ApplyPatchType, data), client.ForceOwnership, client.FieldOwner(Name))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("noting the migration in %s: %w", definition.Name, err)
	}
	return nil
}
