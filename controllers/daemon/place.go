package daemon

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/podset"
)

// podFor is the Pod that the DaemonSet has on the Node.
func podFor(ds *appsv1.DaemonSet, node, hash string) *corev1.Pod {
	pod := podset.FromTemplate(&ds.Spec.Template, ds, kind)
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	if generation, ok := ds.Annotations[appsv1.DeprecatedTemplateGeneration]; ok {
		pod.Labels["pod-template-generation"] = generation
	}
	if hash != "" {
		pod.Labels[appsv1.ControllerRevisionHashLabelKey] = hash
	}
	tolerate(&pod.Spec)
	pinTo(&pod.Spec, node)
	return pod
}

// tolerate adds what every daemon tolerates: it belongs on Nodes in whatever state.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations
func tolerate(spec *corev1.PodSpec) {
	add := func(key string, effect corev1.TaintEffect) {
		toleration := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect}
		for i := range spec.Tolerations {
			if toleration.MatchToleration(&spec.Tolerations[i]) {
				spec.Tolerations[i] = toleration
				return
			}
		}
		spec.Tolerations = append(spec.Tolerations, toleration)
	}
	add(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute)
	add(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute)
	add(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodeMemoryPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodePIDPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule)
	if spec.HostNetwork {
		add(corev1.TaintNodeNetworkUnavailable, corev1.TaintEffectNoSchedule)
	}
}

// pinTo replaces all required terms of the Node affinity, which the Node was chosen by, by its name.
func pinTo(spec *corev1.PodSpec, node string) {
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	if spec.Affinity.NodeAffinity == nil {
		spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
			Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
		}}}},
	}
}

// target is the Node that the Pod is on or meant for; empty if it is meant for none.
func target(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" || pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return pod.Spec.NodeName
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return ""
	}
	for _, term := range required.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == metav1.ObjectNameField && field.Operator == corev1.NodeSelectorOpIn && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}

// judge decides whether a DaemonSet should have a Pod on a Node. What is of the DaemonSet is parsed once.
type judge struct {
	nodeName    string
	affinity    nodeaffinity.RequiredNodeAffinity
	tolerations []corev1.Toleration
}

func newJudge(ds *appsv1.DaemonSet) judge {
	template := &ds.Spec.Template
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ds.Namespace, Labels: template.Labels}, Spec: template.Spec}
	spec := corev1.PodSpec{HostNetwork: template.Spec.HostNetwork, Tolerations: slices.Clone(template.Spec.Tolerations)}
	tolerate(&spec)
	return judge{nodeName: template.Spec.NodeName, affinity: nodeaffinity.GetRequiredNodeAffinity(pod), tolerations: spec.Tolerations}
}

// belongs says whether the Node should have a Pod, and whether one that is there may stay.
func (j judge) belongs(node *corev1.Node) (run, stay bool) {
	if j.nodeName != "" && j.nodeName != node.Name {
		return false, false
	}
	if fits, err := j.affinity.Match(node); !fits || err != nil {
		return false, false
	}
	keepsOut := func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoExecute || t.Effect == corev1.TaintEffectNoSchedule
	}
	drivesOff := func(t *corev1.Taint) bool { return t.Effect == corev1.TaintEffectNoExecute }
	if _, kept := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, j.tolerations, keepsOut, true); !kept {
		return true, true
	}
	_, driven := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, j.tolerations, drivesOff, true)
	return false, !driven
}
