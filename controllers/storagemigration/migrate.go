package storagemigration

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	migrationv1 "k8s.io/api/storagemigration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/discovery"
)

const (
	notThere = "resource does not exist in discovery"

	page = 500
)

// find is the resource in the version that the server prefers, or says why it cannot be migrated.
func (r *controller) find(wanted metav1.GroupResource) (at schema.GroupVersionResource, problem string, err error) {
	lists, err := discovery.ServerPreferredResources(r.resources)
	for _, list := range lists {
		version, parseErr := schema.ParseGroupVersion(list.GroupVersion)
		if parseErr != nil || version.Group != wanted.Group {
			continue
		}
		for _, resource := range list.APIResources {
			if resource.Name != wanted.Resource {
				continue
			}
			at = version.WithResource(resource.Name)
			for _, verb := range []string{"update", "patch", "list"} {
				if !slices.Contains(resource.Verbs, verb) {
					return at, fmt.Sprintf("resource %q does not support discovery operations: [update patch list]", at), nil
				}
			}
			return at, "", nil
		}
	}
	if discovery.IsGroupDiscoveryFailedError(err) {
		err = nil // of other groups, or of this one: then it is not there
	}
	return at, notThere, err
}

// progress counts objects.
type progress struct{ left, all int }

// migrate writes each object that was stored before the migration began, without a change: the server stores it anew if it is stored
// otherwise than it would be now. What was changed or deleted meanwhile needs nothing.
func (r *controller) migrate(ctx context.Context, m *migration, resource schema.GroupVersionResource) error {
	found, p, err := r.old(ctx, resource, m.Status.ResourceVersion)
	if err != nil {
		return fmt.Errorf("listing %s: %w", resource, err)
	}
	for i := range found {
		err := r.rewrite(ctx, resource, &found[i])
		switch {
		case err == nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err):
			p.left--
		case passing(err):
			set(m, migrationv1.MigrationRunning, metav1.ConditionTrue, reasonRunning, p.String()+"; transient error: "+err.Error())
			_ = r.write(ctx, m) // the error itself brings the next attempt
			return err
		default:
			set(m, migrationv1.MigrationRunning, metav1.ConditionTrue, reasonRunning, p.String())
			return r.fail(ctx, m, fmt.Sprintf("%d/%d not yet migrated. migration encountered unhandled error: %s", p.left, p.all, err))
		}
	}
	set(m, migrationv1.MigrationRunning, metav1.ConditionTrue, reasonRunning, p.String())
	set(m, migrationv1.MigrationSucceeded, metav1.ConditionTrue, "StorageVersionMigrationSucceeded", "Migration completed")
	return r.write(ctx, m)
}

// old lists the objects, and keeps of each what rewrite needs, that are not newer than the version.
func (r *controller) old(ctx context.Context, resource schema.GroupVersionResource, version string) (found []metav1.PartialObjectMetadata, p progress, err error) {
	options := metav1.ListOptions{Limit: page}
	for {
		list, err := r.objects.Resource(resource).List(ctx, options)
		if err != nil {
			return nil, p, err
		}
		p.all += len(list.Items)
		for i := range list.Items {
			o := &list.Items[i]
			if order, err := resourceversion.CompareResourceVersion(o.ResourceVersion, version); err == nil && order > 0 {
				continue
			}
			found = append(found, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
				Namespace: o.Namespace, Name: o.Name, ResourceVersion: o.ResourceVersion,
			}})
		}
		if options.Continue = list.Continue; options.Continue == "" {
			p.left = len(found)
			return found, p, nil
		}
	}
}

func (r *controller) rewrite(ctx context.Context, resource schema.GroupVersionResource, o *metav1.PartialObjectMetadata) error {
	nothing, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": o.ResourceVersion}})
	if err != nil {
		return err
	}
	_, err = r.objects.Resource(resource).Namespace(o.Namespace).Patch(ctx, o.Name, types.MergePatchType, nothing, metav1.PatchOptions{FieldManager: Name})
	return err
}

// passing are failures that another attempt may not have.
func passing(err error) bool {
	return utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsProbableEOF(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) || apierrors.IsTimeout(err)
}

// String is what users are told.
func (p progress) String() string {
	switch {
	case p.all == 0:
		return running
	case p.left > 0:
		return fmt.Sprintf("%s, %d/%d objects not yet migrated", running, p.left, p.all)
	}
	return fmt.Sprintf("%s, %d objects verified migrated", running, p.all)
}
