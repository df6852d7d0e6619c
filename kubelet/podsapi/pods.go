package podsapi

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	podsv1alpha1 "k8s.io/kubelet/pkg/apis/pods/v1alpha1"
)

// podsServer is the kubelet's Pods API.
type podsServer struct {
	podsv1alpha1.UnimplementedPodsServer
	Config
}

// all are the Pods of the node in the order of their UIDs.
func (s *podsServer) all() []*corev1.Pod {
	list := s.Pods.Pods()
	for _, pod := range list {
		if !s.Settled(pod.UID) {
			unsettled(&pod.Status)
		}
	}
	slices.SortFunc(list, func(a, b *corev1.Pod) int { return cmp.Compare(a.UID, b.UID) })
	return list
}

// unsettled is the status of a Pod that this process has not looked at yet: nobody knows whether it is ready.
func unsettled(s *corev1.PodStatus) {
	if s.Phase == "" {
		s.Phase = corev1.PodPending
	}
	s.Conditions = slices.Clone(s.Conditions)
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			c.Status, c.Reason, c.Message = corev1.ConditionFalse, "ContainersNotReady", "Kubelet is initializing pod containers"
		}
	}
}

// encoded is a Pod as clients read it.
func encoded(pod *corev1.Pod) ([]byte, error) {
	data, err := pod.Marshal()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "failed to marshal pod: %v", err)
	}
	return data, nil
}

// ListPods implements podsv1alpha1.PodsServer.
func (s *podsServer) ListPods(context.Context, *podsv1alpha1.ListPodsRequest) (*podsv1alpha1.ListPodsResponse, error) {
	out := &podsv1alpha1.ListPodsResponse{}
	for _, pod := range s.all() {
		data, err := encoded(pod)
		if err != nil {
			return nil, err
		}
		out.Pods = append(out.Pods, data)
	}
	return out, nil
}

// GetPod implements podsv1alpha1.PodsServer.
func (s *podsServer) GetPod(_ context.Context, r *podsv1alpha1.GetPodRequest) (*podsv1alpha1.GetPodResponse, error) {
	for _, pod := range s.all() {
		if string(pod.UID) == r.PodUID {
			data, err := encoded(pod)
			return &podsv1alpha1.GetPodResponse{Pod: data}, err
		}
	}
	return nil, status.Errorf(codes.NotFound, "pod with UID %s not found", r.PodUID)
}

// told is what a client knows of a Pod.
type told struct {
	version string
	status  corev1.PodStatus
}

// WatchPods implements podsv1alpha1.PodsServer: first all Pods that there are, then what becomes of them.
func (s *podsServer) WatchPods(_ *podsv1alpha1.WatchPodsRequest, stream podsv1alpha1.Pods_WatchPodsServer) error {
	changes, end := s.Changes.watch()
	defer end()
	known := map[types.UID]told{}
	for _, pod := range s.all() {
		if err := send(stream, podsv1alpha1.EventType_ADDED, pod); err != nil {
			return err
		}
		known[pod.UID] = told{pod.ResourceVersion, pod.Status}
	}
	if err := stream.Send(&podsv1alpha1.WatchPodsEvent{Type: podsv1alpha1.EventType_INITIAL_SYNC_COMPLETE}); err != nil {
		return err
	}
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case c, open := <-changes:
			if !open {
				return status.Error(codes.ResourceExhausted, "watch client channel closed")
			}
			kind, pod := judge(known, c)
			if pod == nil {
				continue
			}
			if err := send(stream, kind, pod); err != nil {
				return err
			}
		}
	}
}

// judge returns what a client that knows those Pods is told of a change, no Pod for nothing, and notes that it was told.
func judge(known map[types.UID]told, c change) (podsv1alpha1.EventType, *corev1.Pod) {
	before, knows := known[c.pod.UID]
	if c.gone {
		if !knows {
			return 0, nil
		}
		delete(known, c.pod.UID)
		return podsv1alpha1.EventType_DELETED, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: c.pod.Name, Namespace: c.pod.Namespace, UID: c.pod.UID}}
	}
	if knows && before.version == c.pod.ResourceVersion && apiequality.Semantic.DeepEqual(before.status, c.status) {
		return 0, nil
	}
	known[c.pod.UID] = told{c.pod.ResourceVersion, c.status}
	now := *c.pod
	now.Status = c.status
	if knows {
		return podsv1alpha1.EventType_MODIFIED, &now
	}
	return podsv1alpha1.EventType_ADDED, &now
}

func send(stream podsv1alpha1.Pods_WatchPodsServer, kind podsv1alpha1.EventType, pod *corev1.Pod) error {
	data, err := encoded(pod)
	if err != nil {
		return err
	}
	return stream.Send(&podsv1alpha1.WatchPodsEvent{Type: kind, Pod: data})
}
