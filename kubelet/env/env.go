// Package env renders a container's environment: its own variables, those of ConfigMaps and Secrets, and those of
// Services.
package env

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/downward"
)

// Source is where a Pod's variables come from.
type Source struct {
	Pod      *corev1.Pod
	Node     downward.Node
	PodIPs   []string
	Services []*corev1.Service
	// ConfigMap and Secret return the object of the Pod's namespace; a NotFound error of the API where there is none.
	ConfigMap func(name string) (*corev1.ConfigMap, error)
	Secret    func(name string) (*corev1.Secret, error)
	// File returns a key of a file of variables in a volume; ok is false where the file has no such key.
	File func(volume, path, key string) (value string, ok bool, err error)
}

// Environment is the variables of one container.
type Environment struct {
	vars     map[string]string
	services map[string]string
}

// Make returns the container's environment. The error says which reference cannot be resolved.
func Make(src Source, c *corev1.Container) (*Environment, error) {
	e := &Environment{vars: map[string]string{}, services: serviceVariables(src.Pod, src.Services)}
	for i := range c.EnvFrom {
		if err := e.addFrom(src, &c.EnvFrom[i]); err != nil {
			return nil, err
		}
	}
	for i := range c.Env {
		if err := e.add(src, c, &c.Env[i]); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Lookup returns a variable's value.
func (e *Environment) Lookup(name string) (string, bool) {
	if v, ok := e.vars[name]; ok {
		return v, true
	}
	v, ok := e.services[name]
	return v, ok
}

// Set gives a variable a value unless it has one.
func (e *Environment) Set(name, value string) {
	if _, ok := e.vars[name]; !ok {
		e.vars[name] = value
	}
}

// Command returns the container's command and arguments with their variables expanded.
func (e *Environment) Command(c *corev1.Container) (command, args []string) {
	return ExpandAll(c.Command, e.Lookup), ExpandAll(c.Args, e.Lookup)
}

// SubPath expands a mount's subPathExpr. Only the container's own variables count, and all must be there.
func (e *Environment) SubPath(m *corev1.VolumeMount) (string, error) {
	if m.SubPathExpr == "" {
		return m.SubPath, nil
	}
	var missing []string
	path := Expand(m.SubPathExpr, func(name string) (string, bool) {
		v, ok := e.Lookup(name)
		if !ok || v == "" {
			missing = append(missing, name)
		}
		return v, ok
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("missing value for %q in subPathExpr of volume mount %q", strings.Join(missing, ", "), m.Name)
	}
	return path, nil
}

// KeyValues returns the environment as the runtime takes it, sorted by name.
func (e *Environment) KeyValues() []*runtimeapi.KeyValue {
	all := maps.Clone(e.services)
	maps.Copy(all, e.vars)
	list := make([]*runtimeapi.KeyValue, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, &runtimeapi.KeyValue{Key: name, Value: []byte(all[name])})
	}
	return list
}

func (e *Environment) addFrom(src Source, from *corev1.EnvFromSource) error {
	switch {
	case from.ConfigMapRef != nil:
		ref := from.ConfigMapRef
		cm, err := src.ConfigMap(ref.Name)
		if ignorable(err, ref.Optional) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading config map %s/%s: %w", src.Pod.Namespace, ref.Name, err)
		}
		for key, value := range cm.Data {
			e.addKey(from.Prefix+key, value)
		}
	case from.SecretRef != nil:
		ref := from.SecretRef
		secret, err := src.Secret(ref.Name)
		if ignorable(err, ref.Optional) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading secret %s/%s: %w", src.Pod.Namespace, ref.Name, err)
		}
		for key, value := range secret.Data {
			e.addKey(from.Prefix+key, string(value))
		}
	}
	return nil
}

// addKey leaves out keys that cannot be names of variables.
func (e *Environment) addKey(name, value string) {
	if len(validation.IsRelaxedEnvVarName(name)) == 0 {
		e.vars[name] = value
	}
}

func (e *Environment) add(src Source, c *corev1.Container, v *corev1.EnvVar) error {
	if v.ValueFrom == nil {
		e.vars[v.Name] = Expand(v.Value, e.Lookup)
		return nil
	}
	value, ok, err := resolve(src, c, v.ValueFrom)
	if err != nil {
		return err
	}
	if ok {
		e.vars[v.Name] = value
	}
	return nil
}

// resolve returns ok false for an optional reference that leads nowhere.
func resolve(src Source, c *corev1.Container, from *corev1.EnvVarSource) (value string, ok bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = downward.Field(src.Pod, src.Node, src.PodIPs, from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = downward.Resource(src.Pod, c.Name, from.ResourceFieldRef, src.Node.Allocatable)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		return configMapKey(src, from.ConfigMapKeyRef)
	case from.SecretKeyRef != nil:
		return secretKey(src, from.SecretKeyRef)
	case from.FileKeyRef != nil:
		ref := from.FileKeyRef
		value, ok, err = src.File(ref.VolumeName, ref.Path, ref.Key)
		if ref.Optional != nil && *ref.Optional {
			return value, ok && err == nil, nil
		}
		if err == nil && !ok {
			err = fmt.Errorf("environment variable key %q not found in file %q", ref.Key, ref.Path)
		}
		return value, ok, err
	}
	return "", false, nil
}

func configMapKey(src Source, ref *corev1.ConfigMapKeySelector) (string, bool, error) {
	cm, err := src.ConfigMap(ref.Name)
	if ignorable(err, ref.Optional) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	value, ok := cm.Data[ref.Key]
	if !ok && (ref.Optional == nil || !*ref.Optional) {
		return "", false, fmt.Errorf("couldn't find key %v in ConfigMap %v/%v", ref.Key, src.Pod.Namespace, ref.Name)
	}
	return value, ok, nil
}

func secretKey(src Source, ref *corev1.SecretKeySelector) (string, bool, error) {
	secret, err := src.Secret(ref.Name)
	if ignorable(err, ref.Optional) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	value, ok := secret.Data[ref.Key]
	if !ok && (ref.Optional == nil || !*ref.Optional) {
		return "", false, fmt.Errorf("couldn't find key %v in Secret %v/%v", ref.Key, src.Pod.Namespace, ref.Name)
	}
	return string(value), ok, nil
}

func ignorable(err error, optional *bool) bool {
	return apierrors.IsNotFound(err) && optional != nil && *optional
}
