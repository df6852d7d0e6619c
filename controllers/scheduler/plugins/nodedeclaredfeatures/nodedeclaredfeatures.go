// Package nodedeclaredfeatures keeps pods off nodes that do not declare the features which the pods need. See KEP-5328.
package nodedeclaredfeatures

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	componentversion "k8s.io/component-base/version"
	"k8s.io/component-helpers/nodedeclaredfeatures"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var missing = framework.Reject(framework.Unresolvable, "node(s) didn't match Pod's required features")

// Plugin knows for which version of Kubernetes it asks: features that all supported nodes have need not be declared any more.
type Plugin struct{ version *version.Version }

// New makes the plugin for this program's version; one built without a version asks for all features.
func New() Plugin {
	v, err := version.Parse(componentversion.Get().GitVersion)
	if err != nil {
		v = version.MajorMinor(0, 0)
	}
	return Plugin{v}
}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "NodeDeclaredFeatures" }

// Interests are nodes that come or declare other features, and pods that need others.
func (p Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.NodeAdded | framework.NodeDeclaredFeaturesChanged, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			node, ok := event.New.(*corev1.Node)
			return ok && p.has(node, p.needs(pod))
		}},
		{Actions: framework.SelfChanged, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			old, ok := event.Old.(*corev1.Pod)
			return ok && !p.needs(old).Equal(p.needs(pod))
		}},
	}
}

// Prepare looks at nodes only for pods that need something declared.
func (p Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	needed := p.needs(pod.Pod)
	if needed.IsEmpty() {
		return framework.Opinion{}, nil
	}
	return framework.Opinion{Filter: func(node *snapshot.Node) *framework.Status {
		if !p.has(node.Node, needed) {
			return missing
		}
		return nil
	}}, nil
}

// needs are the features that the pod needs of any node; the library fails only without a version.
func (p Plugin) needs(pod *corev1.Pod) nodedeclaredfeatures.FeatureSet {
	needed, _ := nodedeclaredfeatures.DefaultFramework.InferForPodScheduling(&nodedeclaredfeatures.PodInfo{Spec: &pod.Spec}, p.version)
	return needed
}

func (p Plugin) has(node *corev1.Node, needed nodedeclaredfeatures.FeatureSet) bool {
	match, err := nodedeclaredfeatures.DefaultFramework.MatchNode(needed, node)
	return err == nil && match.IsMatch
}
