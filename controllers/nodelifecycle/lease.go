package nodelifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// behindRetry is when a Node is looked at again whose lease was newer than it seemed.
const behindRetry = time.Second

// errBehind says that the cache shows an old lease.
var errBehind = errors.New("the node's lease is newer than the cache")

// upToDate asks the server for the Node's lease, lest a Node be lost because this process's watch is late: unstructured reads are not
// served from the cache.
func (r *controller) upToDate(ctx context.Context, node string) error {
	var shown coordinationv1.Lease
	var is unstructured.Unstructured
	is.SetGroupVersionKind(coordinationv1.SchemeGroupVersion.WithKind("Lease"))
	key := client.ObjectKey{Namespace: corev1.NamespaceNodeLease, Name: node}
	err := errors.Join(client.IgnoreNotFound(r.client.Get(ctx, key, &shown)), client.IgnoreNotFound(r.client.Get(ctx, key, &is)))
	switch {
	case err != nil:
		return fmt.Errorf("reading the lease of node %s: %w", node, err)
	case is.GetResourceVersion() != "" && is.GetResourceVersion() != shown.ResourceVersion:
		return errBehind
	}
	return nil
}
