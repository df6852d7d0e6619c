package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (p *podProblems) env(at *field.Path, vars []corev1.EnvVar) {
	for i := range vars {
		v, at := &vars[i], at.Index(i)
		if p.need(at.Child("name"), v.Name) {
			p.invalid(at.Child("name"), v.Name, validation.IsRelaxedEnvVarName(v.Name)...)
		}
		if v.ValueFrom != nil {
			p.envSource(at.Child("valueFrom"), v)
		}
	}
}

func (p *podProblems) envSource(at *field.Path, v *corev1.EnvVar) {
	from, sources := v.ValueFrom, 0
	if from.FieldRef != nil {
		sources++
		p.fieldRef(at.Child("fieldRef"), from.FieldRef, envFields)
	}
	if from.ResourceFieldRef != nil {
		sources++
		p.resourceFieldRef(at.Child("resourceFieldRef"), from.ResourceFieldRef, false)
	}
	if r := from.ConfigMapKeyRef; r != nil {
		sources++
		p.keyOf(at.Child("configMapKeyRef"), r.Name, r.Key)
	}
	if r := from.SecretKeyRef; r != nil {
		sources++
		p.keyOf(at.Child("secretKeyRef"), r.Name, r.Key)
	}
	if from.FileKeyRef != nil {
		sources++
		p.fileKey(at.Child("fileKeyRef"), from.FileKeyRef)
	}
	switch {
	case sources == 0:
		p.invalid(at, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`")
	case v.Value != "":
		p.invalid(at, "", "may not be specified when `value` is not empty")
	case sources > 1:
		p.invalid(at, "", "may not have more than one field specified at a time")
	}
}

func (p *podProblems) keyOf(at *field.Path, name, key string) {
	p.subdomain(at.Child("name"), name)
	if p.need(at.Child("key"), key) {
		p.invalid(at.Child("key"), key, validation.IsConfigMapKey(key)...)
	}
}

func (p *podProblems) fileKey(at *field.Path, f *corev1.FileKeySelector) {
	if p.need(at.Child("key"), f.Key) {
		p.invalid(at.Child("key"), f.Key, validation.IsRelaxedEnvVarName(f.Key)...)
	}
	if p.need(at.Child("volumeName"), f.VolumeName) {
		p.label(at.Child("volumeName"), f.VolumeName)
	}
	if p.need(at.Child("path"), f.Path) {
		p.noBacksteps(at.Child("path"), f.Path)
	}
}

func (p *podProblems) envFrom(at *field.Path, all []corev1.EnvFromSource) {
	for i := range all {
		from, item := &all[i], at.Index(i)
		if from.Prefix != "" {
			p.invalid(item.Child("prefix"), from.Prefix, validation.IsRelaxedEnvVarName(from.Prefix)...)
		}
		sources := 0
		named := func(at *field.Path, name string) {
			sources++
			if p.need(at.Child("name"), name) {
				p.invalid(at.Child("name"), name, apivalidation.NameIsDNSSubdomain(name, true)...)
			}
		}
		if from.ConfigMapRef != nil {
			named(item.Child("configMapRef"), from.ConfigMapRef.Name)
		}
		if from.SecretRef != nil {
			named(item.Child("secretRef"), from.SecretRef.Name)
		}
		switch {
		case sources == 0:
			p.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`")
		case sources > 1:
			p.invalid(at, "", "may not have more than one field specified at a time")
		}
	}
}

// What of a pod its containers may be told, in the environment and in files.
var (
	envFields = []string{
		"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
		"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
	}
	volumeFields   = []string{"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
	allFields      = append(slices.Clone(envFields), "metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase")
	resourceFields = []string{
		"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory",
	}
	byteDivisors = []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
)

func (p *podProblems) fieldRef(at *field.Path, f *corev1.ObjectFieldSelector, allowed []string) {
	if !p.need(at.Child("apiVersion"), f.APIVersion) || !p.need(at.Child("fieldPath"), f.FieldPath) {
		return
	}
	if f.APIVersion != "v1" {
		p.invalid(at.Child("fieldPath"), f.FieldPath, fmt.Sprintf("error converting fieldPath: unsupported pod version: %s", f.APIVersion))
		return
	}
	path, key, subscripted := SplitSubscript(f.FieldPath)
	switch {
	case subscripted && path == "metadata.annotations":
		p.qualifiedName(at, strings.ToLower(key))
	case subscripted && path == "metadata.labels":
		p.qualifiedName(at, key)
	case subscripted:
		p.invalid(at.Child("fieldPath"), f.FieldPath, "error converting fieldPath: field label does not support subscript: "+f.FieldPath)
	case path == "spec.host": // an older name of spec.nodeName
	case !slices.Contains(allFields, path):
		p.invalid(at.Child("fieldPath"), f.FieldPath, "error converting fieldPath: field label not supported: "+f.FieldPath)
	case !slices.Contains(allowed, path):
		p.list = append(p.list, field.NotSupported(at.Child("fieldPath"), path, allowed))
	}
}

// SplitSubscript splits metadata.labels['key'] into path and key, and reports whether there is a key.
func SplitSubscript(path string) (string, string, bool) {
	before, ok := strings.CutSuffix(path, "']")
	if !ok {
		return path, "", false
	}
	head, key, ok := strings.Cut(before, "['")
	if !ok || head == "" {
		return path, "", false
	}
	return head, key, true
}

func (p *podProblems) resourceFieldRef(at *field.Path, f *corev1.ResourceFieldSelector, inVolume bool) {
	pages := strings.HasPrefix(f.Resource, "requests.hugepages-") || strings.HasPrefix(f.Resource, "limits.hugepages-")
	switch {
	case inVolume && f.ContainerName == "":
		p.required(at.Child("containerName"), "")
	case f.Resource == "":
		p.required(at.Child("resource"), "")
	case !pages && !slices.Contains(resourceFields, f.Resource):
		p.list = append(p.list, field.NotSupported(at.Child("resource"), f.Resource, resourceFields))
	}
	if f.Divisor.Cmp(resource.Quantity{}) == 0 {
		return
	}
	refuse := func(what string) {
		p.invalid(at.Child("divisor"), f.Resource, fmt.Sprintf("only divisor's values %s resource", what))
	}
	bytes := slices.Contains(byteDivisors, f.Divisor.String())
	const all = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the "
	switch _, name, _ := strings.Cut(f.Resource, "."); {
	case !pages && !slices.Contains(resourceFields, f.Resource):
	case name == "cpu" && !slices.Contains([]string{"1m", "1"}, f.Divisor.String()):
		refuse("1m and 1 are supported with the cpu")
	case name == "memory" && !bytes:
		refuse(all + "memory")
	case name == "ephemeral-storage" && !bytes:
		refuse(all + "local ephemeral storage")
	case pages && !bytes:
		refuse(all + "hugepages")
	}
}
