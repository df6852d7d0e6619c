package controllers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	migrationv1 "k8s.io/api/storagemigration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coracle-k8s/coracle/apis/storagemigration"
)

// widgets is a definition of two versions that look the same.
func widgets() *unstructured.Unstructured {
	version := func(name string, stored bool) any {
		return map[string]any{"name": name, "served": true, "storage": stored,
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "widgets.migration.example.com"},
		"spec": map[string]any{
			"group": "migration.example.com", "scope": "Cluster",
			"names":    map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{version("v1", true), version("v2", false)},
		},
	}}
}

func storedIn(definition *unstructured.Unstructured, version string) error {
	if stored, _, _ := unstructured.NestedStringSlice(definition.Object, "status", "storedVersions"); !slices.Contains(stored, version) {
		return fmt.Errorf("stored in %v, not %s", stored, version)
	}
	return nil
}

// A version that nothing is stored in any more may be removed from the definition: that is what migrations are for.
func TestMigrationsLeaveOneStoredVersion(t *testing.T) {
	definition := widgets()
	temporary(t, definition)
	eventually(t, definition, func() error { return storedIn(definition, "v1") })
	widget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "migration.example.com/v1", "kind": "Widget", "metadata": map[string]any{"name": "one"},
	}}
	var last error
	if poll(t, func(ctx context.Context) bool { last = admin.Create(ctx, widget); return last == nil }) != nil {
		t.Fatal(last) // served only a little later
	}
	before := widget.GetResourceVersion()
	change(t, definition, update, func(d *unstructured.Unstructured) {
		versions, _, _ := unstructured.NestedSlice(d.Object, "spec", "versions")
		versions[0].(map[string]any)["storage"], versions[1].(map[string]any)["storage"] = false, true
		_ = unstructured.SetNestedSlice(d.Object, versions, "spec", "versions")
	})
	eventually(t, definition, func() error { return storedIn(definition, "v2") })

	m := &migrationv1.StorageVersionMigration{ObjectMeta: metav1.ObjectMeta{Name: "widgets"}}
	m.Spec.Resource = metav1.GroupResource{Group: "migration.example.com", Resource: "widgets"}
	temporary(t, m)
	eventually(t, m, func() error {
		if !storagemigration.Is(m, migrationv1.MigrationSucceeded) || storagemigration.Is(m, migrationv1.MigrationRunning) {
			return fmt.Errorf("conditions %v", m.Status.Conditions)
		}
		return nil
	})
	get(t, definition)
	if stored, _, _ := unstructured.NestedStringSlice(definition.Object, "status", "storedVersions"); !slices.Equal(stored, []string{"v2"}) {
		t.Errorf("stored in %v", stored)
	}
	if get(t, widget); widget.GetResourceVersion() == before {
		t.Error("the object was not written")
	}
}

func TestTheServersTrustBundleIsPublished(t *testing.T) {
	var all certificatesv1.ClusterTrustBundleList
	if err := poll(t, func(ctx context.Context) bool {
		return admin.List(ctx, &all) == nil && slices.ContainsFunc(all.Items, func(b certificatesv1.ClusterTrustBundle) bool {
			return strings.HasPrefix(b.Name, "kubernetes.io:kube-apiserver-serving:") && b.Spec.TrustBundle == string(adminConfig.CAData)
		})
	}); err != nil {
		t.Errorf("published: %v", all.Items)
	}
}
