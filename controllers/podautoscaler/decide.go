package podautoscaler

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// observed is all that a decision rests on.
type observed struct {
	settings
	autoscaler *autoscalingv2.HorizontalPodAutoscaler // read only
	replicas   int32                                  // that the target is to have
	running    int32                                  // that it has
	pods       []*corev1.Pod                          // that are the target's
	unclear    *failure                               // why it cannot be said which Pods are the target's
	measured   []measured                             // for each metric, if they were needed
	past       *past
	now        time.Time
}

// plan is what is to be done about an autoscaler and its target.
type plan struct {
	replicas int32  // for the target
	reason   string // for the change, if it is one
	status   autoscalingv2.HorizontalPodAutoscalerStatus
	tell     []announcement
	err      error // what keeps it from deciding in full
}

type announcement struct{ kind, reason, note string }

func (p *plan) warn(reason, note string) {
	p.tell = append(p.tell, announcement{corev1.EventTypeWarning, reason, note})
}

// set sets a condition. Its time stays while its status does.
func (p *plan) set(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason, message string, now time.Time) {
	p.status.Conditions = with(p.status.Conditions, kind, status, reason, message, now)
}

func with(all []autoscalingv2.HorizontalPodAutoscalerCondition, kind autoscalingv2.HorizontalPodAutoscalerConditionType,
	status corev1.ConditionStatus, reason, message string, now time.Time) []autoscalingv2.HorizontalPodAutoscalerCondition {
	c := autoscalingv2.HorizontalPodAutoscalerCondition{
		Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now),
	}
	for i, old := range all {
		if old.Type == kind {
			if old.Status == status {
				c.LastTransitionTime = old.LastTransitionTime
			}
			all[i] = c
			return all
		}
	}
	return append(all, c)
}

// least is the fewest replicas that the autoscaler allows.
func least(a *autoscalingv2.HorizontalPodAutoscaler) int32 { return ptr.Deref(a.Spec.MinReplicas, 1) }

// need says what decides on a target with so many replicas.
type need int

const (
	metrics  need = iota // what its metrics say
	bounds               // that it is outside the autoscaler's bounds
	disabled             // that somebody has set it to zero
)

func (settings) need(a *autoscalingv2.HorizontalPodAutoscaler, replicas int32) need {
	switch {
	case replicas == 0 && !(scaledToZero(a) && (least(a) != 0 || seesWithoutPods(a))):
		return disabled
	case replicas == 0:
		return metrics
	case replicas > a.Spec.MaxReplicas, replicas < least(a):
		return bounds
	}
	return metrics
}

// scaledToZero reports whether it was the autoscaler that left no replica.
func scaledToZero(a *autoscalingv2.HorizontalPodAutoscaler) bool {
	for _, c := range a.Status.Conditions {
		if c.Type == autoscalingv2.ScaledToZero {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// seesWithoutPods reports whether some metric says anything when there are no Pods.
func seesWithoutPods(a *autoscalingv2.HorizontalPodAutoscaler) bool {
	for _, m := range a.Spec.Metrics {
		if m.Type == autoscalingv2.ObjectMetricSourceType || m.Type == autoscalingv2.ExternalMetricSourceType {
			return true
		}
	}
	return false
}

// decide says how many replicas the target is to have. Conditions, reasons and messages are in upstream's words: people and their
// alerts know them.
//
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
func decide(o *observed) *plan {
	a := o.autoscaler
	p := &plan{replicas: o.replicas, status: autoscalingv2.HorizontalPodAutoscalerStatus{
		CurrentReplicas: o.replicas, DesiredReplicas: a.Status.DesiredReplicas,
		LastScaleTime: a.Status.LastScaleTime, Conditions: append([]autoscalingv2.HorizontalPodAutoscalerCondition(nil), a.Status.Conditions...),
	}}
	p.set(autoscalingv2.AbleToScale, corev1.ConditionTrue, "SucceededGetScale", "the HPA controller was able to get the target's current scale", o.now)
	switch o.need(a, o.replicas) {
	case disabled:
		p.set(autoscalingv2.ScalingActive, corev1.ConditionFalse, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero", o.now)
	case bounds:
		p.replicas, p.reason = least(a), "Current number of replicas below Spec.MinReplicas"
		if o.replicas > a.Spec.MaxReplicas {
			p.replicas, p.reason = a.Spec.MaxReplicas, "Current number of replicas above Spec.MaxReplicas"
		}
	case metrics:
		if !o.follow(p) {
			return p
		}
	}
	p.status.DesiredReplicas = p.replicas
	return p
}

// follow does as the metrics say. It returns false if they do not say enough.
func (o *observed) follow(p *plan) bool {
	wanted, metric, ok := o.gather(p)
	if !ok {
		p.warn("FailedComputeMetricsReplicas", p.err.Error())
		return false
	}
	switch {
	case wanted > o.replicas:
		p.reason = metric + " above target"
	case wanted < o.replicas:
		p.reason = "All metrics below target"
	}
	p.replicas = o.moderate(p, wanted)
	if minimum := least(o.autoscaler); o.replicas == 0 && p.replicas < minimum {
		p.replicas = minimum
		if p.reason == "" {
			p.reason = "Current number of replicas below Spec.MinReplicas"
		}
	}
	return true
}

// gather finds the metric that asks for most. Where some metric is not known, it may be the one: then nothing shrinks.
func (o *observed) gather(p *plan) (wanted int32, metric string, ok bool) {
	if o.unclear != nil {
		p.warn(o.unclear.what, o.unclear.cause.Error())
		p.set(autoscalingv2.ScalingActive, corev1.ConditionFalse, o.unclear.reason, o.unclear.cause.Error(), o.now)
		p.err = o.unclear.cause
		return 0, "", false
	}
	specs := o.autoscaler.Spec.Metrics
	p.status.CurrentMetrics = make([]autoscalingv2.MetricStatus, len(specs))
	var first *failure
	failed := 0
	for i := range specs {
		proposed, status, failure := o.propose(&specs[i], o.measured[i])
		p.status.CurrentMetrics[i] = status
		if failure != nil {
			p.warn(failure.reason, failure.cause.Error())
			failed++
			if first == nil {
				first = failure
			}
			continue
		}
		if metric == "" || proposed.replicas > wanted {
			wanted, metric = proposed.replicas, proposed.metric
		}
	}
	if first != nil {
		p.err = fmt.Errorf("invalid metrics (%d invalid out of %d), first error is: %w", failed, len(specs), first)
	}
	if failed == len(specs) || failed > 0 && wanted < o.replicas {
		if first != nil {
			message := "the HPA was unable to compute the replica count: " + first.cause.Error()
			p.set(autoscalingv2.ScalingActive, corev1.ConditionFalse, first.reason, message, o.now)
		}
		return 0, "", false
	}
	p.set(autoscalingv2.ScalingActive, corev1.ConditionTrue, "ValidMetricFound",
		"the HPA was able to successfully calculate a replica count from "+metric, o.now)
	return wanted, metric, true
}

// moderate stabilizes what is wanted and keeps it within the bounds and the pace.
func (o *observed) moderate(p *plan, wanted int32) int32 {
	spec := &o.autoscaler.Spec
	stable := o.past.stabilize(o.replicas, wanted, spec.Behavior, o.stabilization, o.now)
	o.past.recommend(wanted, o.now)
	reason, message := "ReadyForNewScale", "recommended size matches current size"
	switch {
	case stable == wanted:
	case spec.Behavior != nil && wanted >= o.replicas:
		reason, message = "ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation"
	default:
		reason, message = "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation"
	}
	p.set(autoscalingv2.AbleToScale, corev1.ConditionTrue, reason, message, o.now)

	limited := o.past.within(o.replicas, stable, least(o.autoscaler), spec.MaxReplicas, spec.Behavior, o.now)
	status := corev1.ConditionTrue
	if limited.replicas == stable {
		status = corev1.ConditionFalse
	}
	p.set(autoscalingv2.ScalingLimited, status, limited.reason, limited.message, o.now)
	return limited.replicas
}

// rescaled is told how the target took the change.
func (o *observed) rescaled(p *plan, err error) {
	if err != nil {
		p.warn("FailedRescale", fmt.Sprintf("New size: %d; reason: %s; error: %v", p.replicas, p.reason, err))
		p.set(autoscalingv2.AbleToScale, corev1.ConditionFalse, "FailedUpdateScale", fmt.Sprintf("the HPA controller was unable to update the target scale: %v", err), o.now)
		p.status.DesiredReplicas = o.autoscaler.Status.DesiredReplicas
		return
	}
	p.set(autoscalingv2.AbleToScale, corev1.ConditionTrue, "SucceededRescale", fmt.Sprintf("the HPA controller was able to update the target scale to %d", p.replicas), o.now)
	p.tell = append(p.tell, announcement{corev1.EventTypeNormal, "SuccessfulRescale", fmt.Sprintf("New size: %d; reason: %s", p.replicas, p.reason)})
	p.status.LastScaleTime = ptr.To(metav1.NewTime(o.now))
	o.past.scaled(o.replicas, p.replicas, o.now)
	if p.replicas == 0 && least(o.autoscaler) == 0 && seesWithoutPods(o.autoscaler) {
		p.set(autoscalingv2.ScaledToZero, corev1.ConditionTrue, "ScaledToZero", "the HPA controller scaled the workload to zero", o.now)
	} else {
		p.set(autoscalingv2.ScaledToZero, corev1.ConditionFalse, "NotScaledToZero", "the HPA controller did not scale the workload to zero", o.now)
	}
}
