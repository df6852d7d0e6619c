// Package podautoscaler sets the scale of workloads by what their Pods, other objects or anything outside the cluster measure.
package podautoscaler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "horizontal-pod-autoscaler"

	workers = 5
)

// Config holds what upstream's controller manager has flags for; zero values mean its defaults.
type Config struct {
	// Period is the time between two looks at an autoscaler's metrics: 15 seconds.
	Period time.Duration
	// Stabilization is for how long a target is kept from shrinking after it needed to be larger: five minutes.
	Stabilization time.Duration
	// Tolerance is the part of a target value that use may be away from it: 0.1.
	Tolerance float64
	// CPUInitialization is for how long after its start a Pod's CPU counts only if it is ready: five minutes.
	CPUInitialization time.Duration
	// InitialReadiness is how long after its start a Pod that is not ready has never been: 30 seconds.
	InitialReadiness time.Duration
}

type settings struct {
	period, stabilization               time.Duration
	cpuInitialization, initialReadiness time.Duration
	tolerance                           float64
}

func (c Config) settings() settings {
	or := func(d, otherwise time.Duration) time.Duration {
		if d == 0 {
			return otherwise
		}
		return d
	}
	s := settings{
		period: or(c.Period, 15*time.Second), stabilization: or(c.Stabilization, 5*time.Minute),
		cpuInitialization: or(c.CPUInitialization, 5*time.Minute), initialReadiness: or(c.InitialReadiness, 30*time.Second),
		tolerance: c.Tolerance,
	}
	if s.tolerance == 0 {
		s.tolerance = 0.1
	}
	return s
}

// Metrics are the figures that autoscalers go by, asked for when they are needed. All values are in thousandths.
type Metrics interface {
	// Resource is what each Pod uses of CPU or memory, by the Pod's name; of one container, if one is named.
	Resource(ctx context.Context, namespace, selector string, resource corev1.ResourceName, container string) (map[string]Sample, error)
	// Pods is a metric that each Pod has, by the Pod's name.
	Pods(ctx context.Context, namespace, selector string, metric autoscalingv2.MetricIdentifier) (map[string]Sample, error)
	// Object is a metric of one object in the namespace, or of the namespace itself.
	Object(ctx context.Context, namespace string, object autoscalingv2.CrossVersionObjectReference, metric autoscalingv2.MetricIdentifier) (int64, error)
	// External is the sum of a metric's values.
	External(ctx context.Context, namespace string, metric autoscalingv2.MetricIdentifier) (int64, error)
}

// Scales are the scales of workloads of any kind.
type Scales interface {
	// Get reads the target's scale. The second result is given to Update.
	Get(ctx context.Context, namespace string, target autoscalingv2.CrossVersionObjectReference) (*autoscalingv1.Scale, Resource, error)
	Update(ctx context.Context, resource Resource, scale *autoscalingv1.Scale) error
}

type controller struct {
	settings
	client   client.Client
	recorder events.EventRecorder
	metrics  Metrics
	scales   Scales
	now      func() time.Time

	mu   sync.Mutex
	past map[types.NamespacedName]*memory
}

// memory is of one autoscaler. Only its worker uses it, one at a time.
type memory struct {
	uid      types.UID
	selector string // of its target, when it was last looked at
	past     past
}

// Register puts the controller on the manager. It wakes for autoscalers that are new or changed, and then periodically while there
// are any. c's writes must be seen (package seen).
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder, metrics Metrics, scales Scales, config Config) error {
	r := &controller{
		settings: config.settings(), client: c, recorder: recorder, metrics: metrics, scales: scales,
		now: time.Now, past: map[types.NamespacedName]*memory{},
	}
	return loop.New(mgr, Name, workers).
		For(&autoscalingv2.HorizontalPodAutoscaler{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}

// Reconcile implements reconcile.Reconciler. What fails is tried again after the usual period, not sooner: metrics that are not there
// yet come with time.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var a autoscalingv2.HorizontalPodAutoscaler
	err := r.client.Get(ctx, request.NamespacedName, &a)
	if apierrors.IsNotFound(err) {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if a.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	p := r.handle(ctx, &a)
	p.status.ObservedGeneration = &a.Generation
	for _, t := range p.tell {
		r.recorder.Eventf(&a, nil, t.kind, t.reason, "Scale", "%s", t.note)
	}
	if err := r.writeStatus(ctx, &a, p.status); err != nil {
		r.recorder.Eventf(&a, nil, corev1.EventTypeWarning, "FailedUpdateStatus", "Scale", "%v", err)
		return reconcile.Result{}, errors.Join(p.err, err)
	}
	return reconcile.Result{RequeueAfter: r.period}, nil
}

// handle decides and scales the target.
func (r *controller) handle(ctx context.Context, a *autoscalingv2.HorizontalPodAutoscaler) *plan {
	now := r.now()
	scale, resource, err := r.scales.Get(ctx, a.Namespace, a.Spec.ScaleTargetRef)
	if err != nil {
		p := &plan{status: *a.Status.DeepCopy(), err: err}
		p.warn("FailedGetScale", err.Error())
		p.set(autoscalingv2.AbleToScale, corev1.ConditionFalse, "FailedGetScale",
			fmt.Sprintf("the HPA controller was unable to get the target's current scale: %v", err), now)
		return p
	}
	m := r.remember(a, scale, now)
	o := &observed{settings: r.settings, autoscaler: a, replicas: scale.Spec.Replicas, running: scale.Status.Replicas, past: &m.past, now: now}
	if r.need(a, o.replicas) == metrics {
		if o.pods, o.unclear = r.podsOf(ctx, a, scale); o.unclear == nil {
			o.measured = r.measure(ctx, a, scale.Status.Selector)
		}
	}
	p := decide(o)
	if p.replicas != o.replicas {
		o.rescaled(p, r.rescale(ctx, a, scale, resource, p.replicas))
	}
	return p
}

// remember finds what is known of an autoscaler. What it found first stands for all that was before.
func (r *controller) remember(a *autoscalingv2.HorizontalPodAutoscaler, scale *autoscalingv1.Scale, now time.Time) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := client.ObjectKeyFromObject(a)
	m := r.past[key]
	if m == nil || m.uid != a.UID {
		m = &memory{uid: a.UID}
		m.past.recommend(scale.Spec.Replicas, now)
		r.past[key] = m
	}
	m.selector = scale.Status.Selector
	return m
}

func (r *controller) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.past, key)
}

func (r *controller) measure(ctx context.Context, a *autoscalingv2.HorizontalPodAutoscaler, selector string) []measured {
	all := make([]measured, len(a.Spec.Metrics))
	for i := range a.Spec.Metrics {
		all[i] = r.measureOne(ctx, a.Namespace, selector, &a.Spec.Metrics[i])
	}
	return all
}

func (r *controller) measureOne(ctx context.Context, namespace, selector string, spec *autoscalingv2.MetricSpec) (m measured) {
	switch spec.Type {
	case autoscalingv2.ResourceMetricSourceType:
		m.samples, m.err = r.metrics.Resource(ctx, namespace, selector, spec.Resource.Name, "")
	case autoscalingv2.ContainerResourceMetricSourceType:
		m.samples, m.err = r.metrics.Resource(ctx, namespace, selector, spec.ContainerResource.Name, spec.ContainerResource.Container)
	case autoscalingv2.PodsMetricSourceType:
		m.samples, m.err = r.metrics.Pods(ctx, namespace, selector, spec.Pods.Metric)
	case autoscalingv2.ObjectMetricSourceType:
		source := spec.Object
		if m.value, m.err = r.metrics.Object(ctx, namespace, source.DescribedObject, source.Metric); m.err != nil {
			m.err = fmt.Errorf("unable to get metric %s: %w on %s %s/%s", source.Metric.Name, m.err, source.DescribedObject.Kind, namespace, source.DescribedObject.Name)
		}
	case autoscalingv2.ExternalMetricSourceType:
		source := spec.External
		if m.value, m.err = r.metrics.External(ctx, namespace, source.Metric); m.err != nil {
			m.err = fmt.Errorf("unable to get external metric %s/%s/%+v: %w", namespace, source.Metric.Name, source.Metric.Selector, m.err)
		}
	}
	return m
}

func (r *controller) writeStatus(ctx context.Context, a *autoscalingv2.HorizontalPodAutoscaler, status autoscalingv2.HorizontalPodAutoscalerStatus) error {
	if apiequality.Semantic.DeepEqual(status, a.Status) {
		return nil
	}
	changed := a.DeepCopy()
	changed.Status = status
	return client.IgnoreNotFound(r.client.Status().Update(ctx, changed))
}
