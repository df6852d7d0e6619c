package localstorage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// kubelets are asked through the API server, which knows how to reach them.
type kubelets struct{ client rest.Interface }

// NewNodes asks kubelets by a client of the API's core group.
func NewNodes(core rest.Interface) Nodes { return kubelets{core} }

// Make implements Nodes.
func (k kubelets) Make(ctx context.Context, node string, v *corev1.PersistentVolume) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding volume %s: %w", v.Name, err)
	}
	path, err := k.client.Put().Resource("nodes").Name(node).SubResource("proxy").Suffix("local-volumes", v.Name).
		SetHeader("Content-Type", "application/json").Body(body).DoRaw(ctx)
	var status apierrors.APIStatus
	switch {
	case apierrors.IsNotFound(err):
		return "", ErrNone
	case errors.As(err, &status) && status.Status().Code == http.StatusInsufficientStorage:
		return "", ErrFull
	}
	return string(path), err
}

// Delete implements Nodes.
func (k kubelets) Delete(ctx context.Context, node, volume string) error {
	return k.client.Delete().Resource("nodes").Name(node).SubResource("proxy").Suffix("local-volumes", volume).Do(ctx).Error()
}
