package kubelet

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/pods"
)

func (k *Kubelet) newImages(p *parts) pods.Images { return pulled{p} }

// pulled brings images that are missing.
type pulled struct{ p *parts }

// Ensure pulls an image unless it is there.
func (i pulled) Ensure(ctx context.Context, r pods.ImageRequest) (string, error) {
	spec := &runtimeapi.ImageSpec{Image: r.Image}
	if r.Policy != corev1.PullAlways {
		response, err := i.p.images.ImageStatus(ctx, spec, false)
		if err != nil {
			return "", &pods.Reasoned{Reason: "ImageInspectError", Err: err}
		}
		if response.Image != nil {
			return response.Image.Id, nil
		}
		if r.Policy == corev1.PullNever {
			return "", &pods.Reasoned{Reason: "ErrImageNeverPull", Err: fmt.Errorf("Container image %q is not present with pull policy of Never", r.Image)}
		}
	}
	ref, err := i.p.images.PullImage(ctx, spec, nil, r.Sandbox)
	if err != nil {
		return "", &pods.Reasoned{Reason: "ErrImagePull", Err: err}
	}
	return ref, nil
}

func (k *Kubelet) newResources() pods.Resources { return unlimited{} }

// unlimited gives Pods no control group of their own.
type unlimited struct{}

func (unlimited) Create(*corev1.Pod) (string, error) { return "", nil }
func (unlimited) Remove(types.UID) error             { return nil }
func (unlimited) Container(*corev1.Pod, *corev1.Container) *runtimeapi.LinuxContainerResources {
	return &runtimeapi.LinuxContainerResources{}
}
func (unlimited) Pod(*corev1.Pod) *runtimeapi.LinuxContainerResources { return nil }
