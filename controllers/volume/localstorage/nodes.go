package localstorage

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// kubelets are asked through the API server, which knows how to reach them.
type kubelets struct{ client rest.Interface }

// NewNodes asks kubelets by a client of the API's core group.
func NewNodes(core rest.Interface) Nodes { return kubelets{core} }

// Make implements Nodes.
func (k kubelets) Make(ctx context.Context, node, volume string) (string, error) {
	path, err := k.client.Put().Resource("nodes").Name(node).SubResource("proxy").Suffix("local-volumes", volume).DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return "", ErrNone
	}
	return string(path), err
}

// Delete implements Nodes.
func (k kubelets) Delete(ctx context.Context, node, volume string) error {
	return k.client.Delete().Resource("nodes").Name(node).SubResource("proxy").Suffix("local-volumes", volume).Do(ctx).Error()
}
