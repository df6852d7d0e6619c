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

// Watch calls changed for every Pod that the runtime reports an event of, until ctx ends. connected is called
// whenever a stream begins: events before it may have been missed, so that everything must be looked at once.
func Watch(ctx context.Context, service cri.RuntimeService, connected func(), changed func(types.UID)) {
	events := make(chan *runtimeapi.ContainerEventResponse, 64)
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case e := <-events:
				if uid := e.GetPodSandboxStatus().GetMetadata().GetUid(); uid != "" {
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
