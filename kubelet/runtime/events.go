package runtime

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"
)

// reconnectDelay is the pause between two attempts at the event stream.
const reconnectDelay = time.Second

// Watch calls changed for every Pod of which the runtime reports that something started or ended, until ctx ends. connected is called
// whenever a stream begins: events before it may have been missed, so that everything must be looked at once.
func Watch(ctx context.Context, service cri.RuntimeService, connected func(), changed func(types.UID)) {
	events := make(chan *runtimeapi.ContainerEventResponse, 64)
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case e := <-events:
				// What was created is about to be started, by whoever listens here; a look in between would only be in its way.
				uid := e.GetPodSandboxStatus().GetMetadata().GetUid()
				if uid != "" && e.ContainerEventType != runtimeapi.ContainerEventType_CONTAINER_CREATED_EVENT {
					changed(types.UID(uid))
				}
			case <-ctx.Done():
				return
			}
		}
	})
	defer readers.Wait()
	for ctx.Err() == nil {
		err := service.GetContainerEvents(ctx, events, func(runtimeapi.RuntimeService_GetContainerEventsClient) { connected() })
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
