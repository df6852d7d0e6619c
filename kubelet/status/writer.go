package status

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 10 * time.Second
	// parallelWrites bounds the requests under way at once.
	parallelWrites = 16
)

// Writer brings Pods' statuses to the API: each Pod's in order, the newest only, and only what differs from what
// the API holds.
type Writer struct {
	// Metrics count what becomes of statuses; may be nil.
	Metrics *metrics.Metrics

	client kubernetes.Interface
	slots  chan struct{}

	mu     sync.Mutex
	ctx    context.Context
	writes guard.Group
	pods   map[types.UID]*entry
}

type entry struct {
	base    *corev1.Pod // what the API holds, as far as is known
	want    corev1.PodStatus
	dirty   bool
	since   time.Time // when it became dirty, zero where nothing is to be written
	writing bool
	idle    chan struct{} // closed when nothing is left to write
}

// NewWriter returns a writer that acts as the client. Run must be called before anything is written.
func NewWriter(client kubernetes.Interface) *Writer {
	return &Writer{client: client, slots: make(chan struct{}, parallelWrites), pods: map[types.UID]*entry{}}
}

// Run writes until ctx ends, and returns when the last request has ended.
func (w *Writer) Run(ctx context.Context) {
	w.mu.Lock()
	w.ctx = ctx
	for uid, e := range w.pods {
		w.start(uid, e)
	}
	w.mu.Unlock()
	<-ctx.Done()
	w.writes.Wait()
}

// Latest is the status last set, or else what the API is known to hold.
func (w *Writer) Latest(pod *corev1.Pod) corev1.PodStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.pods[pod.UID]; e != nil {
		return e.want
	}
	return pod.Status
}

// Knows tells whether a Pod's status was set since this process began.
func (w *Writer) Knows(uid types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pods[uid] != nil
}

// Set makes status the one that the API should hold of the Pod, given as last seen there. It does not wait.
func (w *Writer) Set(pod *corev1.Pod, status corev1.PodStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.pods[pod.UID]
	if e == nil {
		e = &entry{base: pod, want: pod.Status}
		w.pods[pod.UID] = e
	} else if newer(pod, e.base) {
		e.base = pod
	}
	countTerminations(&e.want, &status, w.Metrics.ContainerEnded)
	e.want = status
	if !differs(e.base, status) && !e.writing {
		e.dirty, e.since = false, time.Time{}
		return
	}
	e.dirty = true
	if e.since.IsZero() {
		e.since = time.Now()
	}
	w.start(pod.UID, e)
}

// Wait returns when the API holds what was last set, or the Pod no longer.
func (w *Writer) Wait(ctx context.Context, uid types.UID) error {
	for {
		w.mu.Lock()
		e := w.pods[uid]
		if e == nil || (!e.dirty && !e.writing) {
			w.mu.Unlock()
			return nil
		}
		if e.idle == nil {
			e.idle = make(chan struct{})
		}
		idle := e.idle
		w.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Forget drops what is known of a Pod that is no more.
func (w *Writer) Forget(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.pods[uid]; e != nil {
		e.dirty = false
		delete(w.pods, uid)
		e.wake()
	}
}

func (e *entry) wake() {
	if e.idle != nil {
		close(e.idle)
		e.idle = nil
	}
}

// start begins writing an entry, unless that is under way. The lock is held.
func (w *Writer) start(uid types.UID, e *entry) {
	if e.writing || !e.dirty || w.ctx == nil || w.ctx.Err() != nil {
		return
	}
	e.writing = true
	w.writes.Keep(w.ctx, "pod status", func(ctx context.Context) { w.drain(ctx, uid, e) })
}

func (w *Writer) drain(ctx context.Context, uid types.UID, e *entry) {
	delay := firstRetry
	for {
		w.mu.Lock()
		if !e.dirty || ctx.Err() != nil {
			e.writing = false
			e.wake()
			w.mu.Unlock()
			return
		}
		e.dirty = false
		base, want, since := e.base, e.want, e.since
		w.mu.Unlock()

		var result *corev1.Pod
		err := guard.Call("write of a pod's status", func() (err error) {
			result, err = w.write(ctx, base, want)
			return err
		})
		w.mu.Lock()
		switch {
		case err == nil:
			delay = firstRetry
			if newer(result, e.base) {
				e.base = result
			}
			if !e.dirty {
				e.since = time.Time{}
			}
			if result != base {
				w.Metrics.StatusWritten(since)
			}
		case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
			// The Pod is gone, or another of its name has taken its place.
		default:
			e.dirty = w.pods[uid] == e
		}
		w.mu.Unlock()
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) || ctx.Err() != nil {
			continue
		}
		klog.FromContext(ctx).Error(err, "Pod status not written, trying again", "after", delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
		delay = min(2*delay, lastRetry)
	}
}

func (w *Writer) write(ctx context.Context, base *corev1.Pod, want corev1.PodStatus) (*corev1.Pod, error) {
	merged := merge(base, want)
	if apiequality.Semantic.DeepEqual(base.Status, merged) {
		return base, nil
	}
	patch, err := statusPatch(base, merged)
	if err != nil {
		return nil, err
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	result, err := w.client.CoreV1().Pods(base.Namespace).Patch(ctx, base.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return nil, fmt.Errorf("writing status of pod %s/%s: %w", base.Namespace, base.Name, err)
	}
	return result, nil
}

func statusPatch(base *corev1.Pod, merged corev1.PodStatus) ([]byte, error) {
	before, err := json.Marshal(corev1.Pod{Status: base.Status})
	if err != nil {
		return nil, fmt.Errorf("encoding status of pod %s/%s: %w", base.Namespace, base.Name, err)
	}
	// The UID makes the patch fail on another Pod of the same name.
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: base.UID}, Status: merged})
	if err != nil {
		return nil, fmt.Errorf("encoding status of pod %s/%s: %w", base.Namespace, base.Name, err)
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
	if err != nil {
		return nil, fmt.Errorf("comparing statuses of pod %s/%s: %w", base.Namespace, base.Name, err)
	}
	return patch, nil
}

func differs(base *corev1.Pod, want corev1.PodStatus) bool {
	return !apiequality.Semantic.DeepEqual(base.Status, merge(base, want))
}

// merge keeps, of what the API holds, all that is not the kubelet's.
func merge(base *corev1.Pod, want corev1.PodStatus) corev1.PodStatus {
	merged := want
	merged.ResourceClaimStatuses = base.Status.ResourceClaimStatuses
	merged.ExtendedResourceClaimStatus = base.Status.ExtendedResourceClaimStatus
	merged.NominatedNodeName = base.Status.NominatedNodeName
	merged.Conditions = nil
	for _, c := range base.Status.Conditions {
		rendered := slices.ContainsFunc(want.Conditions, func(w corev1.PodCondition) bool { return w.Type == c.Type })
		if !rendered && !slices.Contains(owned, c.Type) {
			merged.Conditions = append(merged.Conditions, c)
		}
	}
	merged.Conditions = append(merged.Conditions, want.Conditions...)
	return merged
}

// newer tells whether a was written after b.
func newer(a, b *corev1.Pod) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err != nil || order > 0
}
