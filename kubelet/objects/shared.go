package objects

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/guard"
)

// Shared is a source on informers of all ConfigMaps and Secrets, for a kubelet that shares a process with the API
// server.
type Shared struct {
	*index
	configMaps corelisters.ConfigMapLister
	secrets    corelisters.SecretLister
}

// NewShared returns a source on the informers. It neither starts them nor waits for them.
func NewShared(configMaps coreinformers.ConfigMapInformer, secrets coreinformers.SecretInformer) (*Shared, error) {
	s := &Shared{index: newIndex(), configMaps: configMaps.Lister(), secrets: secrets.Lister()}
	if _, err := configMaps.Informer().AddEventHandler(s.handler(configMap)); err != nil {
		return nil, err
	}
	if _, err := secrets.Informer().AddEventHandler(s.handler(secret)); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Shared) handler(k kind) cache.ResourceEventHandler {
	changed := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if named, ok := obj.(interface {
			GetNamespace() string
			GetName() string
		}); ok {
			guard.Insist("tell Pods of a changed object", func() { s.changed(ref{k, named.GetNamespace(), named.GetName()}) })
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: changed, UpdateFunc: func(_, obj any) { changed(obj) }, DeleteFunc: changed,
	}
}

// ConfigMap returns the shared object.
func (s *Shared) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return s.configMaps.ConfigMaps(namespace).Get(name)
}

// Secret returns the shared object.
func (s *Shared) Secret(namespace, name string) (*corev1.Secret, error) {
	return s.secrets.Secrets(namespace).Get(name)
}

// Follow makes the Pod hear of changes of all that it refers to.
func (s *Shared) Follow(pod *corev1.Pod) { s.set(pod.UID, refsOf(pod)) }

// Forget ends that.
func (s *Shared) Forget(pod types.UID) { s.set(pod, nil) }
