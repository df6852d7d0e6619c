package node

import (
	"context"
	"maps"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/resources"
)

// maxImages bounds the images that a Node lists.
const maxImages = 50

func newer(a, b *corev1.Node) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err != nil || order > 0
}

func (n *Node) labels() map[string]string {
	labels := map[string]string{
		corev1.LabelHostname:      n.Name,
		corev1.LabelOSStable:      goruntime.GOOS,
		corev1.LabelArchStable:    goruntime.GOARCH,
		"beta.kubernetes.io/os":   goruntime.GOOS,
		"beta.kubernetes.io/arch": goruntime.GOARCH,
	}
	maps.Copy(labels, n.Labels)
	return labels
}

// observe returns the status that the node has now. What others write into it is taken from base.
func (n *Node) observe(ctx context.Context, base *corev1.Node) (status corev1.NodeStatus, ready bool) {
	if base != nil {
		status = *base.Status.DeepCopy()
	}
	n.setResources(ctx, &status)
	status.NodeInfo, status.DeclaredFeatures = n.static, declared
	status.Addresses = n.addresses()
	status.DaemonEndpoints.KubeletEndpoint.Port = n.Port
	problem := n.setRuntime(ctx, &status)
	if base != nil {
		// Listing is slow, and a Node that is not registered yet has no use for it.
		n.setImages(ctx, &status)
	}
	n.setConditions(&status, problem)
	return status, problem == ""
}

// setResources keeps resources that others advertise, and what was known where the machine cannot be measured.
func (n *Node) setResources(ctx context.Context, status *corev1.NodeStatus) {
	capacity, err := n.Offer.Capacity()
	if err != nil {
		klog.FromContext(ctx).Error(err, "Measuring the machine")
		return
	}
	allocatable := resources.Allocatable(capacity)
	if status.Capacity == nil {
		status.Capacity, status.Allocatable = corev1.ResourceList{}, corev1.ResourceList{}
	}
	maps.Copy(status.Capacity, capacity)
	for name, q := range status.Capacity {
		if _, own := capacity[name]; !own {
			allocatable[name] = q
		}
	}
	maps.Copy(status.Allocatable, allocatable)
}

func (n *Node) addresses() []corev1.NodeAddress {
	var list []corev1.NodeAddress
	for _, ip := range n.IPs {
		list = append(list, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip})
	}
	return append(list, corev1.NodeAddress{Type: corev1.NodeHostName, Address: n.Name})
}

// setRuntime reports the runtime's abilities and returns what keeps it from starting Pods, empty for nothing.
func (n *Node) setRuntime(ctx context.Context, status *corev1.NodeStatus) (problem string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	response, err := n.Runtime.Status(ctx, false)
	if err != nil {
		return "container runtime is down: " + err.Error()
	}
	var problems []string
	for _, wanted := range []string{runtimeapi.RuntimeReady, runtimeapi.NetworkReady} {
		i := slices.IndexFunc(response.GetStatus().GetConditions(), func(c *runtimeapi.RuntimeCondition) bool { return c.Type == wanted })
		switch {
		case i < 0:
			problems = append(problems, "container runtime status check may not have completed yet")
		case !response.Status.Conditions[i].Status:
			c := response.Status.Conditions[i]
			if wanted == runtimeapi.NetworkReady {
				problems = append(problems, "container runtime network not ready: NetworkReady=false reason:"+c.Reason+" message:"+c.Message)
			} else {
				problems = append(problems, "container runtime not ready: RuntimeReady=false reason:"+c.Reason+" message:"+c.Message)
			}
		}
	}
	status.RuntimeHandlers = nil
	for _, h := range response.RuntimeHandlers {
		recursive, users := h.GetFeatures().GetRecursiveReadOnlyMounts(), h.GetFeatures().GetUserNamespaces()
		status.RuntimeHandlers = append(status.RuntimeHandlers, corev1.NodeRuntimeHandler{
			Name:     h.Name,
			Features: &corev1.NodeRuntimeHandlerFeatures{RecursiveReadOnlyMounts: &recursive, UserNamespaces: &users},
		})
	}
	slices.SortFunc(status.RuntimeHandlers, func(a, b corev1.NodeRuntimeHandler) int { return strings.Compare(a.Name, b.Name) })
	groups := response.GetFeatures().GetSupplementalGroupsPolicy()
	status.Features = &corev1.NodeFeatures{SupplementalGroupsPolicy: &groups}
	return strings.Join(problems, ", ")
}

func (n *Node) setImages(ctx context.Context, status *corev1.NodeStatus) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	images, err := n.Images.ListImages(ctx, nil)
	if err != nil {
		return // what was known stays
	}
	if n.SeenImages != nil {
		n.SeenImages(images)
	}
	list := make([]corev1.ContainerImage, 0, len(images))
	for _, i := range images {
		names := slices.Concat(i.RepoDigests, i.RepoTags)
		if len(names) == 0 {
			continue
		}
		list = append(list, corev1.ContainerImage{Names: names[:min(len(names), 5)], SizeBytes: int64(i.Size)})
	}
	slices.SortFunc(list, func(a, b corev1.ContainerImage) int {
		if a.SizeBytes != b.SizeBytes {
			return int(max(-1, min(1, b.SizeBytes-a.SizeBytes)))
		}
		return strings.Compare(a.Names[0], b.Names[0])
	})
	status.Images = list[:min(len(list), maxImages)]
}

// setConditions says how the node is. problem keeps it from being ready.
func (n *Node) setConditions(status *corev1.NodeStatus, problem string) {
	p := Pressure{}
	if n.Pressure != nil {
		p = n.Pressure()
	}
	pressure := func(kind corev1.NodeConditionType, pressed bool, good, bad [2]string) {
		if pressed {
			setCondition(status, kind, corev1.ConditionTrue, bad)
		} else {
			setCondition(status, kind, corev1.ConditionFalse, good)
		}
	}
	pressure(corev1.NodeMemoryPressure, p.Memory,
		[2]string{"KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
		[2]string{"KubeletHasInsufficientMemory", "kubelet has insufficient memory available"})
	pressure(corev1.NodeDiskPressure, p.Disk,
		[2]string{"KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
		[2]string{"KubeletHasDiskPressure", "kubelet has disk pressure"})
	pressure(corev1.NodePIDPressure, p.PIDs,
		[2]string{"KubeletHasSufficientPID", "kubelet has sufficient PID available"},
		[2]string{"KubeletHasInsufficientPID", "kubelet has insufficient PID available"})
	if problem == "" {
		setCondition(status, corev1.NodeReady, corev1.ConditionTrue, [2]string{"KubeletReady", "kubelet is posting ready status"})
	} else {
		setCondition(status, corev1.NodeReady, corev1.ConditionFalse, [2]string{"KubeletNotReady", problem})
	}
}

func setCondition(status *corev1.NodeStatus, kind corev1.NodeConditionType, value corev1.ConditionStatus, why [2]string) {
	now := metav1.Now().Rfc3339Copy()
	c := corev1.NodeCondition{
		Type: kind, Status: value, Reason: why[0], Message: why[1], LastHeartbeatTime: now, LastTransitionTime: now,
	}
	for i, old := range status.Conditions {
		if old.Type == kind {
			if old.Status == value {
				c.LastTransitionTime = old.LastTransitionTime
			}
			status.Conditions[i] = c
			return
		}
	}
	status.Conditions = append(status.Conditions, c)
}
