package podsapi

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	resourcesv1 "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// resourcesServer is the Pod Resources API. The node has no device plugins and gives no processors or memory to one container alone: it
// tells which containers there are, and that they have none of these.
type resourcesServer struct {
	resourcesv1.UnimplementedPodResourcesListerServer
	Config
}

// List implements resourcesv1.PodResourcesListerServer: Pods that have ended have no resources.
func (s *resourcesServer) List(context.Context, *resourcesv1.ListPodResourcesRequest) (*resourcesv1.ListPodResourcesResponse, error) {
	out := &resourcesv1.ListPodResourcesResponse{}
	for _, pod := range s.Pods.Pods() {
		if !core.PodTerminal(pod) {
			out.PodResources = append(out.PodResources, resourcesOf(pod))
		}
	}
	return out, nil
}

// GetAllocatableResources implements resourcesv1.PodResourcesListerServer.
func (s *resourcesServer) GetAllocatableResources(context.Context, *resourcesv1.AllocatableResourcesRequest) (*resourcesv1.AllocatableResourcesResponse, error) {
	return &resourcesv1.AllocatableResourcesResponse{}, nil
}

// Get implements resourcesv1.PodResourcesListerServer.
func (s *resourcesServer) Get(_ context.Context, r *resourcesv1.GetPodResourcesRequest) (*resourcesv1.GetPodResourcesResponse, error) {
	for _, pod := range s.Pods.Pods() {
		if pod.Namespace == r.PodNamespace && pod.Name == r.PodName {
			return &resourcesv1.GetPodResourcesResponse{PodResources: resourcesOf(pod)}, nil
		}
	}
	return nil, fmt.Errorf("pod %s in namespace %s not found", r.PodName, r.PodNamespace)
}

// resourcesOf are those of a Pod's containers that run for as long as it does.
func resourcesOf(pod *corev1.Pod) *resourcesv1.PodResources {
	out := &resourcesv1.PodResources{Name: pod.Name, Namespace: pod.Namespace}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; core.IsSidecar(c) {
			out.Containers = append(out.Containers, &resourcesv1.ContainerResources{Name: c.Name})
		}
	}
	for i := range pod.Spec.Containers {
		out.Containers = append(out.Containers, &resourcesv1.ContainerResources{Name: pod.Spec.Containers[i].Name})
	}
	return out
}
