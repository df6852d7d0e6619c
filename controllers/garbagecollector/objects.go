package garbagecollector

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

// objects reads and writes the metadata of objects of any kind, on the server itself.
type objects struct {
	client metadata.Interface
	mapper meta.RESTMapper
}

// at returns the client for objects of a kind in a namespace, which counts only if the kind has any.
func (o objects) at(kind schema.GroupVersionKind, namespace string) (metadata.ResourceInterface, bool, error) {
	mapping, err := o.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, false, fmt.Errorf("finding the resource of %s: %w", kind, err)
	}
	resource := o.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return resource, false, nil
	}
	return resource.Namespace(namespace), true, nil
}

func (o objects) get(ctx context.Context, id identity) (*metav1.PartialObjectMetadata, error) {
	resource, _, err := o.at(id.kind, id.namespace)
	if err != nil {
		return nil, err
	}
	return resource.Get(ctx, id.name, metav1.GetOptions{})
}

// change replaces fields of the metadata, if the object is still as it was when it was read.
func (o objects) change(ctx context.Context, id identity, read *metav1.PartialObjectMetadata, fields map[string]any) error {
	resource, _, err := o.at(id.kind, id.namespace)
	if err != nil {
		return err
	}
	fields["uid"], fields["resourceVersion"] = read.UID, read.ResourceVersion
	body, err := json.Marshal(map[string]any{"metadata": fields})
	if err != nil {
		return err
	}
	// A JSON merge patch, as custom resources know no other.
	_, err = resource.Patch(ctx, id.name, types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

// delete deletes the object, if it is still as it was when it was read: it may have got another owner since.
func (o objects) delete(ctx context.Context, id identity, resourceVersion *string, policy metav1.DeletionPropagation) error {
	resource, _, err := o.at(id.kind, id.namespace)
	if err != nil {
		return err
	}
	return resource.Delete(ctx, id.name, metav1.DeleteOptions{
		PropagationPolicy: &policy,
		Preconditions:     &metav1.Preconditions{UID: &id.uid, ResourceVersion: resourceVersion},
	})
}
