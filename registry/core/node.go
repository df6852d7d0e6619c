package core

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type node = corev1.Node

// Nodes run pods.
func nodes(c Config) *resource.Resource[*node] {
	return resource.Define(resource.Definition[*node]{
		Name: "nodes", Short: []string{"no"},
		Default:          core.DefaultNode,
		Gated:            core.GatedNode(),
		PrepareForCreate: func(_ context.Context, n *node) { n.Spec.ConfigSource, n.Status.Config = nil, nil },
		PrepareForUpdate: func(_ context.Context, n, old *node) {
			if old.Spec.ConfigSource == nil {
				n.Spec.ConfigSource = nil
			}
		},
		Validate:       core.ValidateNode,
		ValidateUpdate: core.ValidateNodeUpdate,
		Warnings:       func(_ context.Context, n, _ *node) []string { return core.NodeWarnings(n) },
		Fields: []resource.Field[*node]{
			{Path: "spec.unschedulable", Value: func(n *node) string { return fmt.Sprint(n.Spec.Unschedulable) }},
		},
		Columns:        nodeColumns(),
		CopyStatus:     func(into, from *node) { into.Status = from.Status },
		StatusOnCreate: true, // a kubelet registers in one request
		Status: &resource.Part[*node]{
			Prepare: func(_ context.Context, n, old *node) {
				if old.Status.Config == nil {
					n.Status.Config = nil
				}
			},
			Validate: core.ValidateNodeUpdate,
		},
		Subresources: map[string]resource.Subresource[*node]{
			"proxy": resource.Connect[*node, *corev1.NodeProxyOptions]{Methods: proxyMethods, SubPath: true, Do: proxyNode(c)},
		},
	})
}

func nodeColumns() []resource.Column[*node] {
	info, status := corev1.NodeSystemInfo{}.SwaggerDoc(), corev1.NodeStatus{}.SwaggerDoc()
	return []resource.Column[*node]{
		{Name: "Status", Description: "The status of the node", Cell: nodeStatus},
		{Name: "Roles", Description: "The roles of the node", Cell: nodeRoles},
		{Name: "Version", Description: info["kubeletVersion"], Cell: func(n *node) any { return n.Status.NodeInfo.KubeletVersion }},
		{Name: "Internal-IP", Priority: 1, Description: status["addresses"], Cell: func(n *node) any {
			return cmp.Or(core.NodeAddress(n, corev1.NodeInternalIP), "<none>")
		}},
		{Name: "External-IP", Priority: 1, Description: status["addresses"], Cell: func(n *node) any {
			return cmp.Or(core.NodeAddress(n, corev1.NodeExternalIP), "<none>")
		}},
		{Name: "OS-Image", Priority: 1, Description: info["osImage"], Cell: func(n *node) any { return cmp.Or(n.Status.NodeInfo.OSImage, "<unknown>") }},
		{Name: "Kernel-Version", Priority: 1, Description: info["kernelVersion"], Cell: nodeKernel},
		{Name: "Container-Runtime", Priority: 1, Description: info["containerRuntimeVersion"], Cell: func(n *node) any {
			return cmp.Or(n.Status.NodeInfo.ContainerRuntimeVersion, "<unknown>")
		}},
	}
}

func nodeStatus(n *node) any {
	status := "Unknown"
	if c := core.NodeCondition(&n.Status, corev1.NodeReady); c != nil {
		status = "NotReady"
		if c.Status == corev1.ConditionTrue {
			status = "Ready"
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	return status
}

func nodeRoles(n *node) any {
	roles := map[string]bool{}
	for label, value := range n.Labels {
		if role, ok := strings.CutPrefix(label, "node-role.kubernetes.io/"); ok && role != "" {
			roles[role] = true
		} else if label == "kubernetes.io/role" && value != "" {
			roles[value] = true
		}
	}
	return cmp.Or(strings.Join(slices.Sorted(maps.Keys(roles)), ","), "<none>")
}

func nodeKernel(n *node) any {
	kernel := cmp.Or(n.Status.NodeInfo.KernelVersion, "<unknown>")
	if n.Status.NodeInfo.Architecture != "" {
		kernel += " (" + n.Status.NodeInfo.Architecture + ")"
	}
	return kernel
}
