package kubelet

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/pods"
	"github.com/coracle-k8s/coracle/kubelet/resources"
)

// newImages pulls images for Pods.
func (k *Kubelet) newImages(p *parts) pods.Images {
	return puller{images.NewPuller(images.Config{
		Service: p.images, Secret: k.Objects.Secret, Rights: p.rights, Used: p.collector.Used, Pulled: p.metrics.Pulled,
		Event: func(about *corev1.ObjectReference, eventType, reason, message string) {
			p.recorder.Event(about, eventType, reason, message)
		},
	}), p.collector}
}

// seenImages tells those who remember something of images which there are.
func seenImages(ctx context.Context, p *parts) func([]*runtimeapi.Image) {
	return func(images []*runtimeapi.Image) {
		p.collector.Seen(images)
		if err := p.rights.Seen(images); err != nil {
			klog.FromContext(ctx).Error(err, "Forgetting images that are gone")
		}
	}
}

// puller makes the reasons of missing images those of waiting containers.
type puller struct {
	*images.Puller
	collector *images.Collector
}

// Used says that an image was in use until now.
func (p puller) Used(id string) { p.collector.Used(id) }

// Ensure brings an image to the node.
func (p puller) Ensure(ctx context.Context, r pods.ImageRequest) (string, error) {
	ref, err := p.Puller.Ensure(ctx, images.Request(r))
	var why *images.Error
	if errors.As(err, &why) {
		return "", &pods.Reasoned{Reason: why.Reason, Retry: why.Retry, Err: why.Err}
	}
	return ref, err
}

// newResources makes the control groups above all Pods' own.
func (k *Kubelet) newResources() (*resources.Cgroups, error) {
	capacity, err := k.offer().Capacity()
	if err != nil {
		return nil, err
	}
	allocatable := resources.Allocatable(capacity)
	groups, err := resources.New(resources.Config{Root: k.CgroupRoot, QoS: k.MemoryQoS, Allocatable: allocatable.Memory().Value()})
	if err != nil {
		return nil, fmt.Errorf("finding control groups: %w", err)
	}
	return groups, groups.Ensure()
}

// limitEvery is the time between tries to limit all Pods.
const limitEvery = time.Minute

// limitPods leaves all Pods together what the node offers, as upstream's --enforce-node-allocatable=pods. It tries again while they
// use more: evictions make that less.
func (k *Kubelet) limitPods(ctx context.Context, p *parts) {
	for {
		limits, err := k.offer().Capacity()
		if err == nil {
			err = p.groups.Limit(limits)
		}
		if err == nil {
			p.recorder.Event(k.nodeRef(), corev1.EventTypeNormal, "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
			return
		}
		p.recorder.Eventf(k.nodeRef(), corev1.EventTypeWarning, "FailedNodeAllocatableEnforcement", "Failed to update Node Allocatable Limits %q: %v", k.CgroupRoot, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(limitEvery):
		}
	}
}

// offer is what of the machine this node has.
func (k *Kubelet) offer() resources.Offer {
	return resources.Offer{Dir: k.RootDir, CPUs: k.CPUs, Memory: k.MemoryBytes, Pods: int64(k.MaxPods)}
}
