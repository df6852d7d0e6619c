package core

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apiserver/pkg/warning"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type pod = corev1.Pod

// Pods run containers on a node.
func pods(c Config, nodes *resource.Resource[*node]) *resource.Resource[*pod] {
	gated := feature.In(core.GatedPodSpec(), func(p *pod) *corev1.PodSpec { return &p.Spec })
	connections, evictions := &podConnections{nodes, c.Kubelets, c.Authorizer}, &evictions{c.Budgets}
	subresources := map[string]resource.Subresource[*pod]{
		"binding":  resource.Post[*pod, *corev1.Binding]{Preconditions: true, Prepare: checkBinding, Do: bind},
		"eviction": resource.Post[*pod, *policyv1.Eviction]{Prepare: checkEviction, Do: evictions.evict},
		"ephemeralcontainers": resource.Part[*pod]{
			Writes:         func(into, from *pod) { into.Spec.EphemeralContainers = from.Spec.EphemeralContainers },
			FreezeMetadata: true,
			Gated:          gated,
			Validate:       core.ValidateEphemeralContainersUpdate,
			Owns:           []string{"spec.ephemeralContainers"},
		},
		"resize": resource.Part[*pod]{
			Writes:         core.CopyResources,
			FreezeMetadata: true,
			Prepare: func(_ context.Context, p, old *pod) {
				core.KeepPodResources(p, old)
				core.DefaultPodResources(p)
			},
			Validate: core.ValidatePodResize,
			Owns: []string{
				"spec.containers.*.resources", "spec.containers.*.resizePolicy",
				"spec.initContainers.*.resources", "spec.initContainers.*.resizePolicy",
			},
		},
		"proxy": resource.Connect[*pod, *corev1.PodProxyOptions]{Methods: proxyMethods, SubPath: true, Do: proxyPod(c)},
	}
	maps.Copy(subresources, connections.subresources())
	return resource.Define(resource.Definition[*pod]{
		Name: "pods", Short: []string{"po"}, Categories: []string{"all"}, Namespaced: true,
		Default:          core.DefaultPod,
		Generation:       func(p *pod) any { return &p.Spec },
		Gated:            gated,
		PrepareForCreate: preparePod,
		PrepareForUpdate: func(_ context.Context, p, old *pod) {
			core.SyncServiceAccount(&p.Spec)
			core.KeepPodResources(p, old)
		},
		ValidateCreate: core.ValidatePod,
		ValidateUpdate: core.ValidatePodUpdate,
		Warnings:       podWarnings,
		GracefulDelete: podGrace,
		ReturnDeleted:  true,
		Fields: []resource.Field[*pod]{
			{Path: "spec.nodeName", Alias: "spec.host", Indexed: true, Value: func(p *pod) string { return p.Spec.NodeName }},
			{Path: "spec.restartPolicy", Value: func(p *pod) string { return string(p.Spec.RestartPolicy) }},
			{Path: "spec.schedulerName", Value: func(p *pod) string { return p.Spec.SchedulerName }},
			{Path: "spec.serviceAccountName", Value: func(p *pod) string { return p.Spec.ServiceAccountName }},
			{Path: "spec.hostNetwork", Value: func(p *pod) string { return fmt.Sprint(p.Spec.HostNetwork) }},
			{Path: "status.phase", Value: func(p *pod) string { return string(p.Status.Phase) }},
			{Path: "status.podIP", Value: func(p *pod) string { return p.Status.PodIP }},
			{Path: "status.podIPs", Value: func(*pod) string { return "" }}, // accepted, but nothing ever matches
			{Path: "status.nominatedNodeName", Value: func(p *pod) string { return p.Status.NominatedNodeName }},
		},
		Columns:       podColumns(),
		RowConditions: podRowConditions,
		CopyStatus:    func(into, from *pod) { into.Status = from.Status },
		Status: &resource.Part[*pod]{
			Gated:    core.GatedPodStatus(),
			Prepare:  preparePodStatus,
			Validate: core.ValidatePodStatusUpdate,
			Warnings: func(_ context.Context, p, _ *pod) []string { return core.PodStatusWarnings(&p.Status) },
			Resets:   []string{"spec", "metadata.deletionTimestamp", "metadata.ownerReferences"},
		},
		Subresources: subresources,
	})
}

// preparePod warns here of what is not to be seen any more afterwards.
func preparePod(ctx context.Context, p *pod) {
	core.PreparePod(p, metav1.Now())
	for _, text := range core.SyncAppArmor(p) {
		warning.AddWarning(ctx, "", text)
	}
}

// preparePodStatus keeps what a status update must not take away: it never deletes, nor changes owners or class.
func preparePodStatus(_ context.Context, p, old *pod) {
	p.OwnerReferences, p.DeletionTimestamp = old.OwnerReferences, nil
	if p.Status.QOSClass == "" {
		p.Status.QOSClass = old.Status.QOSClass
	}
	core.KeepClaimStatuses(&p.Status, &old.Status)
	core.KeepObservedGenerations(&p.Status, &old.Status)
}

// podWarnings are given on creation only: people do not update pods, and others would not read them.
func podWarnings(_ context.Context, p, old *pod) []string {
	if old != nil {
		return nil
	}
	var warnings []string
	if messages := validation.IsDNS1123Label(p.Name); len(messages) > 0 {
		warnings = append(warnings, fmt.Sprintf("metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: %v", messages))
	}
	return append(warnings, core.PodWarnings(p)...)
}

// podGrace grants what the client or the pod asks for; pods that never ran, or have ended, go at once.
func podGrace(_ context.Context, p *pod, options *metav1.DeleteOptions) bool {
	var grace int64
	switch {
	case options.GracePeriodSeconds != nil:
		grace = *options.GracePeriodSeconds
	case p.Spec.TerminationGracePeriodSeconds != nil:
		grace = *p.Spec.TerminationGracePeriodSeconds
	}
	if p.Spec.NodeName == "" || core.PodTerminal(p) {
		grace = 0
	}
	if grace < 0 {
		grace = 1
	}
	options.GracePeriodSeconds = &grace
	return true
}
