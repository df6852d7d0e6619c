package admission

import (
	goruntime "runtime"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/core"
)

// pressures are in the order in which they are told.
var pressures = []corev1.NodeConditionType{corev1.NodeDiskPressure, corev1.NodeMemoryPressure, corev1.NodePIDPressure}

// underPressure refuses what would be evicted soon. Short of memory alone, the node still takes Pods that request some, or that
// tolerate the taint. https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
func (n *Node) underPressure(r Request) *Refusal {
	if n.Pressure == nil || IsCritical(r.Pod) {
		return nil
	}
	var now []corev1.NodeConditionType
	for _, kind := range pressures {
		if n.Pressure(kind) {
			now = append(now, kind)
		}
	}
	if len(now) == 0 {
		return nil
	}
	if len(now) == 1 && now[0] == corev1.NodeMemoryPressure {
		taint := &corev1.Taint{Key: corev1.TaintNodeMemoryPressure, Effect: corev1.TaintEffectNoSchedule}
		if core.QOSClass(r.Pod) != corev1.PodQOSBestEffort || corev1helpers.TolerationsTolerateTaint(klog.Background(), r.Pod.Spec.Tolerations, taint, false) {
			return nil
		}
	}
	return refuse("Evicted", "The node had condition: %v. ", now)
}

// resourceClaims refuses Pods that claim devices: nothing here can prepare them, and without them the Pod must not run.
func resourceClaims(r Request) *Refusal {
	if len(r.Pod.Spec.ResourceClaims) == 0 && r.Pod.Status.ExtendedResourceClaimStatus == nil {
		return nil
	}
	return refuse("ResourceClaimsNotSupported", "The Pod has resource claims, and this node cannot prepare the devices that are allocated to them")
}

// system refuses Pods of other operating systems. https://kubernetes.io/docs/concepts/workloads/pods/#pod-os
func system(r Request) *Refusal {
	if name, labelled := r.Pod.Labels[corev1.LabelOSStable]; labelled && name != goruntime.GOOS {
		return refuse("PodOSSelectorNodeLabelDoesNotMatch", "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label")
	}
	if r.Pod.Spec.OS != nil && string(r.Pod.Spec.OS.Name) != goruntime.GOOS {
		return refuse("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
	}
	return nil
}

// groupsPolicy refuses Pods that must not have groups of their image where the runtime gives them these.
func groupsPolicy(r Request) *Refusal {
	sc, features := r.Pod.Spec.SecurityContext, r.Node.Status.Features
	if sc == nil || sc.SupplementalGroupsPolicy == nil || *sc.SupplementalGroupsPolicy != corev1.SupplementalGroupsPolicyStrict {
		return nil
	}
	if features != nil && features.SupplementalGroupsPolicy != nil && *features.SupplementalGroupsPolicy {
		return nil
	}
	return refuse("SupplementalGroupsPolicyNotSupported", "SupplementalGroupsPolicy=Strict is not supported in this node")
}

// ReasonAffinity is the reason of a Node whose labels are not those that the Pod wants.
const ReasonAffinity = "NodeAffinity"

func affinity(r Request) *Refusal {
	if ok, err := nodeaffinity.GetRequiredNodeAffinity(r.Pod).Match(r.Node); err != nil || !ok {
		return refuse(ReasonAffinity, "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")
	}
	return nil
}

// taints looks at those only that end Pods which run.
func taints(r Request) *Refusal {
	_, found := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), r.Node.Spec.Taints, r.Pod.Spec.Tolerations,
		func(t *corev1.Taint) bool { return t.Effect == corev1.TaintEffectNoExecute }, false)
	if found {
		return refuse("TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate")
	}
	return nil
}

func ports(r Request) *Refusal {
	for _, want := range hostPorts(r.Pod) {
		for _, other := range r.Others {
			if slices.ContainsFunc(hostPorts(other), func(has corev1.ContainerPort) bool { return collide(want, has) }) {
				return refuse("NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports")
			}
		}
	}
	return nil
}

func collide(a, b corev1.ContainerPort) bool {
	sameIP := a.HostIP == b.HostIP || anyIP(a.HostIP) || anyIP(b.HostIP)
	return a.HostPort == b.HostPort && a.Protocol == b.Protocol && sameIP
}

func anyIP(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

// hostPorts are those of containers that run beside one another.
func hostPorts(pod *corev1.Pod) (list []corev1.ContainerPort) {
	core.Containers(&pod.Spec, func(c *corev1.Container) bool {
		once := slices.ContainsFunc(pod.Spec.InitContainers, func(i corev1.Container) bool { return i.Name == c.Name }) && !core.IsSidecar(c)
		for _, p := range c.Ports {
			if p.HostPort > 0 && !once {
				list = append(list, p)
			}
		}
		return true
	})
	return list
}

// appArmor refuses Pods that want profiles enforced which this machine cannot enforce.
func (n *Node) appArmor(r Request) *Refusal {
	required, refusal := false, (*Refusal)(nil)
	core.Containers(&r.Pod.Spec, func(c *corev1.Container) bool {
		switch p := profile(r.Pod, c); {
		case p == nil || p.Type == corev1.AppArmorProfileTypeUnconfined:
		case p.Type == corev1.AppArmorProfileTypeLocalhost && (p.LocalhostProfile == nil || strings.TrimSpace(*p.LocalhostProfile) == ""):
			refusal = refuse("AppArmor", "Cannot enforce AppArmor: invalid empty AppArmor profile name of container %s", c.Name)
		default:
			required = true
		}
		return refusal == nil
	})
	if required && (n.AppArmor == nil || !n.AppArmor()) {
		return refuse("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
	}
	return refusal
}

// profile is a container's own or its Pod's, nil where neither says.
func profile(pod *corev1.Pod, c *corev1.Container) *corev1.AppArmorProfile {
	if c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil {
		return c.SecurityContext.AppArmorProfile
	}
	if pod.Spec.SecurityContext != nil {
		return pod.Spec.SecurityContext.AppArmorProfile
	}
	return nil
}
