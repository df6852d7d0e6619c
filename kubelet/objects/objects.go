// Package objects gives the kubelet the ConfigMaps and Secrets that its Pods refer to, and tells which Pods a change
// concerns.
package objects

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Source gives objects and tells of their changes. What it returns is shared: read only.
type Source interface {
	// ConfigMap and Secret return an error of the API, NotFound among them.
	ConfigMap(namespace, name string) (*corev1.ConfigMap, error)
	Secret(namespace, name string) (*corev1.Secret, error)
	// Follow makes the Pod hear of changes of all that it refers to, until Forget. Idempotent.
	Follow(pod *corev1.Pod)
	Forget(pod types.UID)
	// OnChange sets what is called, without locks, for each Pod that a change concerns. It must be set before Follow.
	OnChange(func(pod types.UID))
}

// kind of an object that Pods refer to.
type kind string

const (
	configMap kind = "configmaps"
	secret    kind = "secrets"
)

// ref names an object.
type ref struct {
	kind            kind
	namespace, name string
}

// index knows which Pods refer to which objects.
type index struct {
	mu       sync.Mutex
	onChange func(types.UID)
	pods     map[types.UID]map[ref]bool
	users    map[ref]map[types.UID]bool
}

func newIndex() *index {
	return &index{pods: map[types.UID]map[ref]bool{}, users: map[ref]map[types.UID]bool{}}
}

// OnChange sets what is called for each Pod that a change concerns.
func (x *index) OnChange(f func(types.UID)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.onChange = f
}

// set makes refs what the Pod refers to. It returns those that nobody referred to before, and those that nobody does
// now.
func (x *index) set(pod types.UID, refs map[ref]bool) (first, unused []ref) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for r := range x.pods[pod] {
		if refs[r] {
			continue
		}
		delete(x.users[r], pod)
		if len(x.users[r]) == 0 {
			delete(x.users, r)
			unused = append(unused, r)
		}
	}
	for r := range refs {
		if x.users[r] == nil {
			x.users[r] = map[types.UID]bool{}
			first = append(first, r)
		}
		x.users[r][pod] = true
	}
	if x.pods[pod] = refs; len(refs) == 0 {
		delete(x.pods, pod)
	}
	return first, unused
}

func (x *index) changed(r ref) {
	x.mu.Lock()
	users := make([]types.UID, 0, len(x.users[r]))
	for uid := range x.users[r] {
		users = append(users, uid)
	}
	call := x.onChange
	x.mu.Unlock()
	if call == nil {
		return
	}
	for _, uid := range users {
		call(uid)
	}
}

// refsOf returns all that a Pod refers to.
func refsOf(pod *corev1.Pod) map[ref]bool {
	refs := map[ref]bool{}
	add := func(k kind, name string) {
		if name != "" {
			refs[ref{k, pod.Namespace, name}] = true
		}
	}
	for _, s := range pod.Spec.ImagePullSecrets {
		add(secret, s.Name)
	}
	core.Containers(&pod.Spec, func(c *corev1.Container) bool {
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef != nil {
				add(configMap, from.ConfigMapRef.Name)
			}
			if from.SecretRef != nil {
				add(secret, from.SecretRef.Name)
			}
		}
		for _, v := range c.Env {
			if v.ValueFrom != nil && v.ValueFrom.ConfigMapKeyRef != nil {
				add(configMap, v.ValueFrom.ConfigMapKeyRef.Name)
			}
			if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
				add(secret, v.ValueFrom.SecretKeyRef.Name)
			}
		}
		return true
	})
	for i := range pod.Spec.Volumes {
		volumeRefs(&pod.Spec.Volumes[i], add)
	}
	return refs
}

func volumeRefs(v *corev1.Volume, add func(kind, string)) {
	switch {
	case v.ConfigMap != nil:
		add(configMap, v.ConfigMap.Name)
	case v.Secret != nil:
		add(secret, v.Secret.SecretName)
	case v.Projected != nil:
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil {
				add(configMap, s.ConfigMap.Name)
			}
			if s.Secret != nil {
				add(secret, s.Secret.Name)
			}
		}
	}
}
