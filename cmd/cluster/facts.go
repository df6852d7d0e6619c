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

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// wanted is what a ConfigMap is to be, by the data that it has.
type wanted func(data map[string]string) (*corev1.ConfigMap, error)

// facts tell nodes of the cluster as the options say.
func (c *Cluster) facts(map[string]string) (*corev1.ConfigMap, error) {
	return c.options.facts().ConfigMap(), nil
}

// server tells what is this server's.
func (c *Cluster) server(data map[string]string) (*corev1.ConfigMap, error) {
	own := bootstrap.Server{Hosts: c.keys.ServingHosts}
	if !c.options.ControlPlaneOnly {
		own.Node = c.options.NodeName
	}
	return bootstrap.ServersConfigMap(data, c.options.AdvertiseAddress, own, len(c.options.EtcdServers) == 0)
}

// keeping keeps a ConfigMap as it is wanted, whoever changes or deletes it.
func (c *Cluster) keeping(namespace, name string, want wanted) func(context.Context) error {
	return func(ctx context.Context) error {
		client, err := kubernetes.NewForConfig(c.configOf("system:apiserver"))
		if err != nil {
			return err
		}
		of := client.CoreV1().ConfigMaps(namespace)
		changed := make(chan struct{}, 1)
		informer := c.api.Informers().Core().V1().ConfigMaps().Informer()
		registration, err := informer.AddEventHandler(tellOf(namespace, name, changed))
		if err != nil {
			return fmt.Errorf("watching config map %s: %w", name, err)
		}
		// A stopped informer has forgotten its handlers.
		defer func() { _ = informer.RemoveEventHandler(registration) }()
		c.api.Informers().Start(ctx.Done())
		for {
			if err := keep(ctx, of, name, want); err != nil && !apierrors.IsConflict(err) && ctx.Err() == nil { // who was first is seen soon
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
		}
	}
}

type configMaps interface {
	Get(context.Context, string, metav1.GetOptions) (*corev1.ConfigMap, error)
	Create(context.Context, *corev1.ConfigMap, metav1.CreateOptions) (*corev1.ConfigMap, error)
	Update(context.Context, *corev1.ConfigMap, metav1.UpdateOptions) (*corev1.ConfigMap, error)
}

func keep(ctx context.Context, client configMaps, name string, want wanted) error {
	is, err := client.Get(ctx, name, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return fmt.Errorf("reading config map %s: %w", name, err)
	}
	if missing {
		is = &corev1.ConfigMap{}
	}
	next, err := want(is.Data)
	switch {
	case err != nil:
	case missing:
		_, err = client.Create(ctx, next, metav1.CreateOptions{})
	case !maps.Equal(is.Data, next.Data):
		is = is.DeepCopy()
		is.Data = next.Data
		_, err = client.Update(ctx, is, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("keeping config map %s: %w", name, err)
	}
	return nil
}

// tellOf tells of changes of one object.
func tellOf(namespace, name string, changed chan<- struct{}) cache.ResourceEventHandler {
	return tellOfAny(func(o metav1.Object) bool { return o.GetNamespace() == namespace && o.GetName() == name }, changed)
}

// tellOfAny tells of changes of the objects in question.
func tellOfAny(about func(metav1.Object) bool, changed chan<- struct{}) cache.ResourceEventHandler {
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
			o, ok := obj.(metav1.Object)
			return ok && about(o)
		},
		Handler: cache.ResourceEventHandlerFuncs{AddFunc: tell, UpdateFunc: func(_, obj any) { tell(obj) }, DeleteFunc: tell},
	}
}
