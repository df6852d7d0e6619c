package snapshot

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Node is a node, the pods on it (running or assumed) and what they add up to.
type Node struct {
	*corev1.Node
	Pods        []*Pod
	Requested   Resources
	NonZero     Resources
	Allocatable Resources
	Ports       Ports
	// Images are the sizes of the images on the node, by each of their names.
	Images map[string]int64
	// affine counts pods with affinity of any kind, antiAffine those with required anti-affinity.
	affine, antiAffine int
}

// NewNode returns a node without pods.
func NewNode(node *corev1.Node) *Node {
	n := &Node{}
	n.set(node)
	return n
}

func (n *Node) set(node *corev1.Node) {
	n.Node = node
	n.Allocatable = ResourcesOf(node.Status.Allocatable)
	n.Images = make(map[string]int64, len(node.Status.Images))
	for _, image := range node.Status.Images {
		for _, name := range image.Names {
			n.Images[name] = image.SizeBytes
		}
	}
}

// Clone returns a copy that can be changed without changing the original.
func (n *Node) Clone() *Node {
	clone := *n
	clone.Pods = slices.Clone(n.Pods)
	clone.Requested.Other = maps.Clone(n.Requested.Other)
	clone.NonZero.Other = maps.Clone(n.NonZero.Other)
	clone.Ports = n.Ports.clone()
	return &clone
}

// Add puts a pod on the node.
func (n *Node) Add(pod *Pod) {
	n.Pods = append(n.Pods, pod)
	n.account(pod, 1)
	for _, port := range HostPortsOf(pod.Pod) {
		n.Ports.Take(port)
	}
}

// Remove takes a pod off the node, and says whether it was there.
func (n *Node) Remove(uid types.UID) bool {
	i := slices.IndexFunc(n.Pods, func(p *Pod) bool { return p.UID == uid })
	if i < 0 {
		return false
	}
	pod := n.Pods[i]
	last := len(n.Pods) - 1
	n.Pods[i] = n.Pods[last]
	n.Pods[last] = nil
	n.Pods = n.Pods[:last]
	n.account(pod, -1)
	for _, port := range HostPortsOf(pod.Pod) {
		n.Ports.release(port)
	}
	return true
}

func (n *Node) account(pod *Pod, sign int) {
	n.Requested.add(&pod.Requests, int64(sign))
	n.NonZero.add(&pod.NonZero, int64(sign))
	if len(pod.RequiredAffinity)+len(pod.RequiredAntiAffinity)+len(pod.PreferredAffinity)+len(pod.PreferredAntiAffinity) > 0 {
		n.affine += sign
	}
	if len(pod.RequiredAntiAffinity) > 0 {
		n.antiAffine += sign
	}
}

// HasAffinePods says whether any pod on the node has a pod affinity or anti-affinity.
func (n *Node) HasAffinePods() bool { return n.affine > 0 }

// HasAntiAffinePods says whether any pod on the node has required anti-affinity.
func (n *Node) HasAntiAffinePods() bool { return n.antiAffine > 0 }
