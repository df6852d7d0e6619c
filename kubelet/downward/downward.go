// Package downward reads the fields of a Pod that its containers may see.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
package downward

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Node is what a Pod may see of the node that it runs on.
type Node struct {
	Name        string
	IPs         []string
	Allocatable corev1.ResourceList
}

// Field returns a Pod's field by its path. podIPs are the addresses of its sandbox, which may be newer than its
// status.
func Field(pod *corev1.Pod, node Node, podIPs []string, path string) (string, error) {
	if base, key, ok := subscript(path); ok {
		switch base {
		case "metadata.annotations":
			return pod.Annotations[key], nil
		case "metadata.labels":
			return pod.Labels[key], nil
		}
		return "", fmt.Errorf("invalid field path %q: no such map", path)
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return Lines(pod.Labels), nil
	case "metadata.annotations":
		return Lines(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP":
		return first(node.IPs), nil
	case "status.hostIPs":
		return strings.Join(node.IPs, ","), nil
	case "status.podIP":
		return first(podIPs), nil
	case "status.podIPs":
		return strings.Join(podIPs, ","), nil
	}
	return "", fmt.Errorf("unsupported field path %q", path)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// subscript splits metadata.labels['key'].
func subscript(path string) (base, key string, ok bool) {
	if !strings.HasSuffix(path, "']") {
		return "", "", false
	}
	base, key, ok = strings.Cut(strings.TrimSuffix(path, "']"), "['")
	return base, key, ok
}

// Lines formats a map as volumes hold it: key="value", sorted, one a line.
func Lines(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, key+"="+strconv.Quote(m[key]))
	}
	return strings.Join(lines, "\n")
}

// Resource returns a container's resource, in units of the reference's divisor, rounded up. A limit that is not set
// is its Pod's, or else what the node has to give.
func Resource(pod *corev1.Pod, container string, ref *corev1.ResourceFieldSelector, allocatable corev1.ResourceList) (string, error) {
	if ref.ContainerName != "" {
		container = ref.ContainerName
	}
	c := find(pod, container)
	if c == nil {
		return "", fmt.Errorf("container %s not found", container)
	}
	kind, name, ok := strings.Cut(ref.Resource, ".")
	if !ok {
		return "", fmt.Errorf("unsupported container resource : %v", ref.Resource)
	}
	var value resource.Quantity
	switch kind {
	case "limits":
		value = limit(pod, c, corev1.ResourceName(name), allocatable)
	case "requests":
		value = c.Resources.Requests[corev1.ResourceName(name)]
	default:
		return "", fmt.Errorf("unsupported container resource : %v", ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == string(corev1.ResourceCPU) {
		return strconv.FormatInt(int64(math.Ceil(float64(value.MilliValue())/float64(divisor.MilliValue()))), 10), nil
	}
	return strconv.FormatInt(int64(math.Ceil(float64(value.Value())/float64(divisor.Value()))), 10), nil
}

// limit is a container's own, or else all that its Pod may use, or else all that the node has.
func limit(pod *corev1.Pod, c *corev1.Container, name corev1.ResourceName, allocatable corev1.ResourceList) resource.Quantity {
	if q, ok := c.Resources.Limits[name]; ok && !q.IsZero() {
		return q
	}
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		if own := pod.Spec.Resources; own != nil {
			if q, ok := own.Limits[name]; ok && !q.IsZero() {
				return q
			}
		}
		return allocatable[name]
	}
	return c.Resources.Limits[name]
}

func find(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == name {
			return (*corev1.Container)(&pod.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		}
	}
	return nil
}
