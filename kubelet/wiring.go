package kubelet

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	remote "k8s.io/cri-client/pkg"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
	"github.com/coracle-k8s/coracle/kubelet/pods"
	"github.com/coracle-k8s/coracle/kubelet/probes"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

var everything = labels.Everything()

// connect opens the runtime's socket.
func (k *Kubelet) connect(ctx context.Context, p *parts) (closeAll func(), err error) {
	service, err := remote.NewRemoteRuntimeService(ctx, socketURL(k.RuntimeEndpoint), connectTimeout, nil, false)
	if err != nil {
		return nil, fmt.Errorf("connecting to the container runtime: %w", err)
	}
	whole := runtime.NewWhole(p.metrics.Runtime(service))
	p.runtime = whole
	if k.Sweep != nil {
		p.sweeper = newSweeper(whole, k.Sweep)
	}
	images, err := remote.NewRemoteImageService(ctx, socketURL(k.ImageEndpoint), connectTimeout, nil, false)
	if err != nil {
		_ = p.runtime.Close(ctx) // the first error says it all
		return nil, fmt.Errorf("connecting to the container runtime: %w", err)
	}
	p.images = p.metrics.Images(images)
	return func() {
		// Nothing is lost with a connection: requests have ended by now.
		_ = p.runtime.Close(context.WithoutCancel(ctx))
		_ = p.images.Close(context.WithoutCancel(ctx))
	}, nil
}

func socketURL(endpoint string) string {
	if strings.Contains(endpoint, "://") {
		return endpoint
	}
	return "unix://" + endpoint
}

// newRecorder records Events by the client.
func (k *Kubelet) newRecorder() (record.EventRecorder, func()) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: k.Client.CoreV1().Events("")})
	return broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: k.NodeName}), broadcaster.Shutdown
}

// reportProbe records answers of probes that are not good.
func (k *Kubelet) reportProbe(p *parts) probes.Reporter {
	return func(t probes.Target, kind probes.Kind, outcome probes.Outcome, output string) {
		ref := pods.Reference(t.Pod, t.Container)
		switch outcome {
		case probes.Unhealthy:
			p.recorder.Eventf(ref, corev1.EventTypeWarning, "Unhealthy", "%s probe failed: %s", kind, output)
		case probes.Broken:
			p.recorder.Eventf(ref, corev1.EventTypeWarning, "Unhealthy", "%s probe errored and resulted in unknown state: %s", kind, output)
		case probes.Warned:
			p.recorder.Eventf(ref, corev1.EventTypeWarning, "ProbeWarning", "%s probe warning: %s", kind, output)
		}
	}
}

func imageUser(images cri.ImageManagerService) func(context.Context, string) (*int64, string, error) {
	return func(ctx context.Context, ref string) (*int64, string, error) {
		response, err := images.ImageStatus(ctx, &runtimeapi.ImageSpec{Image: ref}, false)
		if err != nil {
			return nil, "", fmt.Errorf("reading image %s: %w", ref, err)
		}
		image := response.GetImage()
		if image == nil {
			return nil, "", fmt.Errorf("image %s is not there", ref)
		}
		if image.Uid != nil {
			return &image.Uid.Value, "", nil
		}
		if image.Username == "" {
			return new(int64), "", nil // an image that says nothing runs as root
		}
		return nil, image.Username, nil
	}
}

func volumeImages(images pods.Images, metrics *metrics.Metrics) func(context.Context, *corev1.Pod, *corev1.ImageVolumeSource) (*runtimeapi.ImageSpec, error) {
	return func(ctx context.Context, pod *corev1.Pod, source *corev1.ImageVolumeSource) (*runtimeapi.ImageSpec, error) {
		ref, err := images.Ensure(ctx, pods.ImageRequest{
			Pod: pod, Image: source.Reference, Policy: source.PullPolicy, About: pods.Reference(pod, nil),
		})
		metrics.ImageVolume(err)
		if err != nil {
			return nil, err
		}
		return &runtimeapi.ImageSpec{Image: ref, UserSpecifiedImage: source.Reference}, nil
	}
}

func (k *Kubelet) runtimeHandler(pod *corev1.Pod) (string, error) {
	name := pod.Spec.RuntimeClassName
	if name == nil || *name == "" {
		return "", nil
	}
	class, err := k.RuntimeClass(*name)
	if err != nil {
		return "", fmt.Errorf("failed to get sandbox runtime: RuntimeClass %s: %w", *name, err)
	}
	return class.Handler, nil
}

// listen hears of this node's Pods and of its Node. It returns when all Pods of the API are known.
func (k *Kubelet) listen(ctx context.Context, p *parts) (remove func(), err error) {
	var registrations []func()
	remove = func() {
		for _, r := range registrations {
			r()
		}
	}
	add := func(informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) error {
		r, err := informer.AddEventHandler(hearing{handler})
		if err != nil {
			return fmt.Errorf("listening to the API: %w", err)
		}
		// A handler that cannot be removed dies with its informer.
		registrations = append(registrations, func() { _ = informer.RemoveEventHandler(r) })
		if !cache.WaitForCacheSync(ctx.Done(), r.HasSynced) {
			return ctx.Err()
		}
		return nil
	}
	if err := add(k.Nodes, k.nodeHandler(ctx, p)); err != nil {
		return remove, err
	}
	return remove, add(k.Pods, k.podHandler(p))
}

// hearing does not lose an event for a panic.
type hearing struct{ cache.ResourceEventHandler }

const heard = "hearing of Pods and of the Node"

// OnAdd implements cache.ResourceEventHandler.
func (h hearing) OnAdd(obj any, first bool) {
	guard.Insist(heard, func() { h.ResourceEventHandler.OnAdd(obj, first) })
}

// OnUpdate implements cache.ResourceEventHandler.
func (h hearing) OnUpdate(old, obj any) {
	guard.Insist(heard, func() { h.ResourceEventHandler.OnUpdate(old, obj) })
}

// OnDelete implements cache.ResourceEventHandler.
func (h hearing) OnDelete(obj any) {
	guard.Insist(heard, func() { h.ResourceEventHandler.OnDelete(obj) })
}

func (k *Kubelet) podHandler(p *parts) cache.ResourceEventHandler {
	update := func(obj any) {
		pod := obj.(*corev1.Pod)
		k.Objects.Follow(pod)
		p.volumes.Update(pod)
		p.pods.Update(pod)
	}
	return cache.FilteringResourceEventHandler{
		FilterFunc: func(obj any) bool {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			pod, ok := obj.(*corev1.Pod)
			return ok && pod.Spec.NodeName == k.NodeName
		},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc: update,
			UpdateFunc: func(old, obj any) {
				// A Pod of the same name may have taken the place of one that was deleted unseen.
				if before := old.(*corev1.Pod); before.UID != obj.(*corev1.Pod).UID {
					k.drop(p, before)
				}
				update(obj)
			},
			DeleteFunc: func(obj any) {
				if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
					obj = gone.Obj
				}
				k.drop(p, obj.(*corev1.Pod))
			},
		},
	}
}

func (k *Kubelet) drop(p *parts, pod *corev1.Pod) {
	k.Objects.Forget(pod.UID)
	p.volumes.Forget(pod.UID)
	p.pods.Delete(pod)
}

// nodeHandler joins the Pod network as soon as the Node has its prefixes.
func (k *Kubelet) nodeHandler(ctx context.Context, p *parts) cache.ResourceEventHandler {
	var joined string
	update := func(obj any) {
		n, ok := obj.(*corev1.Node)
		if !ok || n.Name != k.NodeName || k.JoinNetwork == nil || len(n.Spec.PodCIDRs) == 0 {
			return
		}
		key := strings.Join(n.Spec.PodCIDRs, ",")
		if key == joined {
			return
		}
		if err := k.join(n.Spec.PodCIDRs); err != nil {
			klog.FromContext(ctx).Error(err, "Joining the pod network", "prefixes", key)
			return
		}
		joined = key
		p.node.Poke()
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: update, UpdateFunc: func(_, obj any) { update(obj) }}
}

func (k *Kubelet) join(cidrs []string) error {
	var prefixes []netip.Prefix
	for _, c := range cidrs {
		prefix, err := netip.ParsePrefix(c)
		if err != nil {
			return err
		}
		prefixes = append(prefixes, prefix)
	}
	return k.JoinNetwork(prefixes)
}
