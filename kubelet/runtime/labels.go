package runtime

import (
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Labels and annotations of sandboxes and containers. They are upstream's, so that crictl, cAdvisor and log
// collectors understand them, and so that a restarted process recognises what it created.
const (
	LabelPodName       = "io.kubernetes.pod.name"
	LabelPodNamespace  = "io.kubernetes.pod.namespace"
	LabelPodUID        = "io.kubernetes.pod.uid"
	LabelContainerName = "io.kubernetes.container.name"

	annotationHash              = "io.kubernetes.container.hash"
	annotationRestartCount      = "io.kubernetes.container.restartCount"
	annotationMessagePath       = "io.kubernetes.container.terminationMessagePath"
	annotationMessagePolicy     = "io.kubernetes.container.terminationMessagePolicy"
	annotationPreStop           = "io.kubernetes.container.preStopHandler"
	annotationPorts             = "io.kubernetes.container.ports"
	annotationPodDeletionGrace  = "io.kubernetes.pod.deletionGracePeriod"
	annotationPodTerminateGrace = "io.kubernetes.pod.terminationGracePeriod"
)

// Hash identifies what of a container's specification cannot change without a new container: its name and image.
func Hash(c *corev1.Container) string {
	h := fnv.New32a()
	// Marshalling two strings cannot fail.
	data, _ := json.Marshal([2]string{c.Name, c.Image})
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

func podLabels(pod *corev1.Pod) map[string]string {
	return map[string]string{
		LabelPodName:      pod.Name,
		LabelPodNamespace: pod.Namespace,
		LabelPodUID:       string(pod.UID),
	}
}

func containerLabels(pod *corev1.Pod, c *corev1.Container) map[string]string {
	labels := podLabels(pod)
	labels[LabelContainerName] = c.Name
	return labels
}

// containerAnnotations carry what is needed when the Pod's specification is gone: to stop the container gracefully
// and to report how it ended.
func containerAnnotations(pod *corev1.Pod, c *corev1.Container, restartCount int) map[string]string {
	a := map[string]string{
		annotationHash:          Hash(c),
		annotationRestartCount:  strconv.Itoa(restartCount),
		annotationMessagePath:   c.TerminationMessagePath,
		annotationMessagePolicy: string(c.TerminationMessagePolicy),
	}
	if g := pod.DeletionGracePeriodSeconds; g != nil {
		a[annotationPodDeletionGrace] = strconv.FormatInt(*g, 10)
	}
	if g := pod.Spec.TerminationGracePeriodSeconds; g != nil {
		a[annotationPodTerminateGrace] = strconv.FormatInt(*g, 10)
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		if data, err := json.Marshal(c.Lifecycle.PreStop); err == nil {
			a[annotationPreStop] = string(data)
		}
	}
	if len(c.Ports) > 0 {
		if data, err := json.Marshal(c.Ports); err == nil {
			a[annotationPorts] = string(data)
		}
	}
	return a
}

// RestoredContainer rebuilds, from a container's annotations, the parts of the specification that stopping it
// needs. It serves containers whose Pod no longer exists in the API.
func RestoredContainer(c *Container) (spec *corev1.Container, gracePeriodSeconds int64) {
	spec = &corev1.Container{Name: c.Name}
	if raw := c.annotations[annotationPreStop]; raw != "" {
		handler := &corev1.LifecycleHandler{}
		if json.Unmarshal([]byte(raw), handler) == nil {
			spec.Lifecycle = &corev1.Lifecycle{PreStop: handler}
		}
	}
	if raw := c.annotations[annotationPorts]; raw != "" {
		// A port list that cannot be read leaves named ports unresolved, nothing worse.
		_ = json.Unmarshal([]byte(raw), &spec.Ports)
	}
	gracePeriodSeconds = corev1.DefaultTerminationGracePeriodSeconds
	for _, key := range []string{annotationPodTerminateGrace, annotationPodDeletionGrace} {
		if v, err := strconv.ParseInt(c.annotations[key], 10, 64); err == nil {
			gracePeriodSeconds = v
		}
	}
	return spec, gracePeriodSeconds
}
