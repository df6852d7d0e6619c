package runtime

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// reconnectDelay is the pause between two attempts at the event stream.
const reconnectDelay = time.Second

// Change is something that the runtime says has started or ended: a sandbox's or a container's ID, and its Pod, "" where the runtime does
// not say.
type Change struct {
	Pod types.UID
	ID  string
}

// Watch calls changed whenever the runtime reports that something started or ended, until ctx ends. connected is called whenever a
// stream begins: events before it may have been missed, so that everything must be looked at once.
func Watch(ctx context.Context, service cri.RuntimeService, connected func(), changed func(Change)) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan *runtimeapi.ContainerEventResponse, 64)
	var readers guard.Group
	defer readers.Wait()
	defer cancel()
	readers.Keep(ctx, "events of the runtime", func(ctx context.Context) { read(ctx, events, changed) })
	for ctx.Err() == nil {
		err := service.GetContainerEvents(ctx, events, func(runtimeapi.RuntimeService_GetContainerEventsClient) {
			guard.Insist("look at the runtime", connected)
		})
		if ctx.Err() != nil {
			return
		}
		klog.FromContext(ctx).Error(err, "Stream of container events ended, connecting again")
		select {
		case <-time.After(reconnectDelay):
		case <-ctx.Done():
		}
	}
}

func read(ctx context.Context, events <-chan *runtimeapi.ContainerEventResponse, changed func(Change)) {
	for {
		select {
		case e := <-events:
			// What was created is about to be started, by whoever listens here; a look in between would only be in its way.
			if e.ContainerEventType != runtimeapi.ContainerEventType_CONTAINER_CREATED_EVENT {
				guard.Insist("event of the runtime", func() { changed(Change{Pod: podOf(e), ID: e.ContainerId}) })
			}
		case <-ctx.Done():
			return
		}
	}
}

// podOf finds out whose event it is. Of a sandbox that is gone already the runtime says nothing.
func podOf(e *runtimeapi.ContainerEventResponse) types.UID {
	if uid := e.GetPodSandboxStatus().GetMetadata().GetUid(); uid != "" {
		return types.UID(uid)
	}
	for _, c := range e.ContainersStatuses {
		if uid := c.Labels[LabelPodUID]; uid != "" {
			return types.UID(uid)
		}
	}
	return ""
}
