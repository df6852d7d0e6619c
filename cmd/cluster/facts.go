package cluster

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// keepFacts keeps the ConfigMap that tells nodes of the cluster as the options say, whoever changes or deletes it.
func (c *Cluster) keepFacts(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.configOf("system:apiserver"))
	if err != nil {
		return err
	}
	want := c.options.facts().ConfigMap()
	of := client.CoreV1().ConfigMaps(want.Namespace)
	changed := make(chan struct{}, 1)
	informer := c.api.Informers().Core().V1().ConfigMaps().Informer()
	registration, err := informer.AddEventHandler(tellOf(want.Namespace, want.Name, changed))
	if err != nil {
		return fmt.Errorf("watching config map %s: %w", want.Name, err)
	}
	// A stopped informer has forgotten its handlers.
	defer func() { _ = informer.RemoveEventHandler(registration) }()
	c.api.Informers().Start(ctx.Done())
	for {
		if err := keep(ctx, of, want); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

type configMaps interface {
	Get(context.Context, string, metav1.GetOptions) (*corev1.ConfigMap, error)
	Create(context.Context, *corev1.ConfigMap, metav1.CreateOptions) (*corev1.ConfigMap, error)
	Update(context.Context, *corev1.ConfigMap, metav1.UpdateOptions) (*corev1.ConfigMap, error)
}

func keep(ctx context.Context, client configMaps, want *corev1.ConfigMap) error {
	is, err := client.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = client.Create(ctx, want, metav1.CreateOptions{})
	case err == nil && !maps.Equal(is.Data, want.Data):
		is = is.DeepCopy()
		is.Data = want.Data
		_, err = client.Update(ctx, is, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("keeping config map %s/%s: %w", want.Namespace, want.Name, err)
	}
	return nil
}

// tellOf tells of changes of one object.
func tellOf(namespace, name string, changed chan<- struct{}) cache.ResourceEventHandler {
	tell := func(any) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return cache.FilteringResourceEventHandler{
		FilterFunc: func(obj any) bool {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			m, ok := obj.(*corev1.ConfigMap)
			return ok && m.Namespace == namespace && m.Name == name
		},
		Handler: cache.ResourceEventHandlerFuncs{AddFunc: tell, UpdateFunc: func(_, obj any) { tell(obj) }, DeleteFunc: tell},
	}
}
