package runtime

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// PodRef names a Pod that the runtime holds something of.
type PodRef struct {
	UID             types.UID
	Namespace, Name string
}

// Listed is what a list of all says of one Pod: which sandboxes are ready, and what containers do.
type Listed struct {
	PodRef
	sandboxes  map[string]bool
	containers map[string]State
}

// List returns every Pod that the runtime holds a sandbox or a container of. It costs two questions, however many there are.
func (o *Observer) List(ctx context.Context) ([]Listed, error) {
	sandboxes, err := o.cri.ListPodSandbox(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing sandboxes: %w", err)
	}
	containers, err := o.cri.ListContainers(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	seen := map[types.UID]Listed{}
	of := func(labels map[string]string) Listed {
		uid := types.UID(labels[LabelPodUID])
		if _, known := seen[uid]; !known {
			ref := PodRef{UID: uid, Namespace: labels[LabelPodNamespace], Name: labels[LabelPodName]}
			seen[uid] = Listed{PodRef: ref, sandboxes: map[string]bool{}, containers: map[string]State{}}
		}
		return seen[uid]
	}
	for _, s := range sandboxes {
		of(s.Labels).sandboxes[s.Id] = s.State == runtimeapi.PodSandboxState_SANDBOX_READY
	}
	for _, c := range containers {
		of(c.Labels).containers[c.Id] = stateOf(c.State)
	}
	delete(seen, "") // not ours
	return slices.Collect(maps.Values(seen)), nil
}

// Is tells whether a list says the same of a Pod as was last observed.
func (p *Pod) Is(l Listed) bool {
	sandboxes, containers := map[string]bool{}, map[string]State{}
	for _, s := range p.Sandboxes {
		sandboxes[s.ID] = s.Ready
	}
	for _, c := range p.Containers {
		containers[c.ID] = c.State
	}
	return maps.Equal(sandboxes, l.sandboxes) && maps.Equal(containers, l.containers)
}

// Has tells whether a sandbox or a container of the Pod has that ID.
func (p *Pod) Has(id string) bool {
	return slices.ContainsFunc(p.Sandboxes, func(s *Sandbox) bool { return s.ID == id }) ||
		slices.ContainsFunc(p.Containers, func(c *Container) bool { return c.ID == id })
}
