package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Observer reads Pods from the runtime.
type Observer struct {
	cri cri.RuntimeService
}

// NewObserver returns an observer of the runtime behind the service.
func NewObserver(service cri.RuntimeService) *Observer {
	return &Observer{cri: service}
}

// Observe returns what the runtime holds of one Pod; an empty Pod where it holds nothing. What earlier already
// knew of ended containers is taken from there, as it cannot change.
func (o *Observer) Observe(ctx context.Context, uid types.UID, earlier *Pod) (*Pod, error) {
	label := map[string]string{LabelPodUID: string(uid)}
	sandboxes, err := o.cri.ListPodSandbox(ctx, &runtimeapi.PodSandboxFilter{LabelSelector: label})
	if err != nil {
		return nil, fmt.Errorf("listing sandboxes of pod %s: %w", uid, err)
	}
	containers, err := o.cri.ListContainers(ctx, &runtimeapi.ContainerFilter{LabelSelector: label})
	if err != nil {
		return nil, fmt.Errorf("listing containers of pod %s: %w", uid, err)
	}
	pod := &Pod{UID: uid}
	for _, listed := range sandboxes {
		pod.Namespace, pod.Name = listed.Labels[LabelPodNamespace], listed.Labels[LabelPodName]
		s, err := o.sandbox(ctx, listed)
		if err != nil {
			return nil, err
		}
		if s != nil {
			pod.Sandboxes = append(pod.Sandboxes, s)
		}
	}
	for _, listed := range containers {
		pod.Namespace, pod.Name = listed.Labels[LabelPodNamespace], listed.Labels[LabelPodName]
		c, err := o.container(ctx, listed, earlier)
		if err != nil {
			return nil, err
		}
		if c != nil {
			pod.Containers = append(pod.Containers, c)
		}
	}
	// Newest first: by number before time, as a clock may have gone back in between.
	slices.SortStableFunc(pod.Sandboxes, func(a, b *Sandbox) int {
		return cmp.Or(cmp.Compare(b.Attempt, a.Attempt), b.CreatedAt.Compare(a.CreatedAt))
	})
	slices.SortStableFunc(pod.Containers, func(a, b *Container) int {
		return cmp.Or(cmp.Compare(b.RestartCount, a.RestartCount), b.CreatedAt.Compare(a.CreatedAt))
	})
	return pod, nil
}

// sandbox returns nil for one that went away meanwhile.
func (o *Observer) sandbox(ctx context.Context, listed *runtimeapi.PodSandbox) (*Sandbox, error) {
	s := &Sandbox{
		ID:        listed.Id,
		Ready:     listed.State == runtimeapi.PodSandboxState_SANDBOX_READY,
		Attempt:   listed.GetMetadata().GetAttempt(),
		CreatedAt: time.Unix(0, listed.CreatedAt),
	}
	if !s.Ready {
		return s, nil
	}
	response, err := o.cri.PodSandboxStatus(ctx, listed.Id, false)
	if IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading sandbox %s: %w", listed.Id, err)
	}
	st := response.Status
	s.Ready = st.State == runtimeapi.PodSandboxState_SANDBOX_READY
	s.HostNetwork = st.GetLinux().GetNamespaces().GetOptions().GetNetwork() == runtimeapi.NamespaceMode_NODE
	if !s.HostNetwork && st.GetNetwork().GetIp() != "" {
		s.IPs = append(s.IPs, st.Network.Ip)
		for _, more := range st.Network.AdditionalIps {
			s.IPs = append(s.IPs, more.Ip)
		}
	}
	return s, nil
}

func (o *Observer) container(ctx context.Context, listed *runtimeapi.Container, earlier *Pod) (*Container, error) {
	if listed.State == runtimeapi.ContainerState_CONTAINER_EXITED && earlier != nil {
		for _, known := range earlier.Containers {
			if known.ID == listed.Id && known.State == Exited {
				return known, nil
			}
		}
	}
	response, err := o.cri.ContainerStatus(ctx, listed.Id, false)
	if IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading container %s: %w", listed.Id, err)
	}
	return newContainer(ctx, listed.PodSandboxId, response.Status), nil
}

func newContainer(ctx context.Context, sandboxID string, st *runtimeapi.ContainerStatus) *Container {
	c := &Container{
		ID:          st.Id,
		Name:        st.Labels[LabelContainerName],
		SandboxID:   sandboxID,
		State:       stateOf(st.State),
		Image:       st.GetImage().GetImage(),
		ImageRef:    st.ImageRef,
		ImageID:     cmp.Or(st.ImageId, st.ImageRef),
		Hash:        st.Annotations[annotationHash],
		CreatedAt:   time.Unix(0, st.CreatedAt),
		LogPath:     st.LogPath,
		Resources:   st.Resources,
		User:        st.User,
		StopSignal:  st.StopSignal,
		Mounts:      st.Mounts,
		annotations: st.Annotations,
	}
	// A container without the annotation is not ours, or very old: count from nought.
	c.RestartCount, _ = strconv.Atoi(st.Annotations[annotationRestartCount])
	if c.State != Created {
		c.StartedAt = time.Unix(0, st.StartedAt)
	}
	if c.State == Exited {
		c.FinishedAt = time.Unix(0, st.FinishedAt)
		c.ExitCode = st.ExitCode
		c.Reason = st.Reason
		c.Message = terminationMessage(ctx, st)
	}
	return c
}

func stateOf(s runtimeapi.ContainerState) State {
	switch s {
	case runtimeapi.ContainerState_CONTAINER_CREATED:
		return Created
	case runtimeapi.ContainerState_CONTAINER_RUNNING:
		return Running
	case runtimeapi.ContainerState_CONTAINER_EXITED:
		return Exited
	}
	return Unknown
}

// Said returns an answer of the runtime without what the connection adds to it; other errors as they are. Users read it.
func Said(err error) error {
	if answer, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return errors.New(answer.GRPCStatus().Message())
	}
	return err
}

// IsNotFound tells whether the runtime answered that it has no such thing.
func IsNotFound(err error) bool {
	return status.Code(err) == codes.NotFound
}
