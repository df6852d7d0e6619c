package podautoscaler

import (
	"errors"
	"fmt"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// measured is what was found of one metric: samples of each Pod, or one value for all of them, in thousandths.
type measured struct {
	samples map[string]Sample
	value   int64
	err     error
}

// proposal is how many replicas one metric asks for, and where the metric stands now.
type proposal struct {
	replicas int32
	current  autoscalingv2.MetricValueStatus
	metric   string // as Events and conditions name it
}

// failure says why there is no proposal. The reason and the cause are for the condition and the Event; what names the metric.
type failure struct {
	reason, what string
	cause        error
}

func (f *failure) Error() string { return f.what + ": " + f.cause.Error() }

// propose follows one metric.
func (o *observed) propose(spec *autoscalingv2.MetricSpec, m measured) (proposal, autoscalingv2.MetricStatus, *failure) {
	status := autoscalingv2.MetricStatus{Type: spec.Type}
	var p proposal
	var f failure
	switch spec.Type {
	case autoscalingv2.ResourceMetricSourceType:
		source := spec.Resource
		f = failure{reason: "FailedGetResourceMetric", what: fmt.Sprintf("failed to get %s resource metric value", source.Name)}
		p, f.cause = o.resource(source.Name, "", &source.Target, m)
		status.Resource = &autoscalingv2.ResourceMetricStatus{Name: source.Name, Current: p.current}
	case autoscalingv2.ContainerResourceMetricSourceType:
		source := spec.ContainerResource
		f = failure{reason: "FailedGetContainerResourceMetric", what: fmt.Sprintf("failed to get %s container metric value", source.Container)}
		p, f.cause = o.resource(source.Name, source.Container, &source.Target, m)
		status.ContainerResource = &autoscalingv2.ContainerResourceMetricStatus{Name: source.Name, Container: source.Container, Current: p.current}
	case autoscalingv2.PodsMetricSourceType:
		source := spec.Pods
		f = failure{reason: "FailedGetPodsMetric", what: "failed to get pods metric value"}
		p, f.cause = o.perPod(source, m)
		status.Pods = &autoscalingv2.PodsMetricStatus{Metric: source.Metric, Current: p.current}
	case autoscalingv2.ObjectMetricSourceType:
		source := spec.Object
		f = failure{reason: "FailedGetObjectMetric", what: "failed to get object metric value"}
		p, f.cause = o.whole(&source.Target, m)
		p.metric = source.DescribedObject.Kind + " metric " + source.Metric.Name
		status.Object = &autoscalingv2.ObjectMetricStatus{Metric: source.Metric, DescribedObject: source.DescribedObject, Current: p.current}
	case autoscalingv2.ExternalMetricSourceType:
		source := spec.External
		f = failure{reason: "FailedGetExternalMetric", what: fmt.Sprintf("failed to get %s external metric value", source.Metric.Name)}
		p, f.cause = o.whole(&source.Target, m)
		p.metric = fmt.Sprintf("external metric %s(%+v)", source.Metric.Name, source.Metric.Selector)
		status.External = &autoscalingv2.ExternalMetricStatus{Metric: source.Metric, Current: p.current}
	default:
		f = failure{"InvalidMetricSourceType", "reading metrics", fmt.Errorf("unknown metric source type %q", spec.Type)}
	}
	if f.cause != nil {
		return proposal{}, autoscalingv2.MetricStatus{}, &f
	}
	return p, status, nil
}

// resource follows CPU or memory, of Pods or of one of their containers.
func (o *observed) resource(name corev1.ResourceName, container string, target *autoscalingv2.MetricTarget, m measured) (proposal, error) {
	what := "utilization"
	if target.AverageValue != nil {
		what = "usage"
	}
	p, err := o.resourceUse(name, container, target, m)
	if err != nil {
		err = fmt.Errorf("failed to get %s %s: %w", name, what, err)
	}
	return p, err
}

func (o *observed) resourceUse(name corev1.ResourceName, container string, target *autoscalingv2.MetricTarget, m measured) (proposal, error) {
	if target.AverageValue == nil && target.AverageUtilization == nil {
		return proposal{}, errors.New("invalid resource metric source: neither an average utilization target nor an average value target was set")
	}
	if m.err != nil {
		return proposal{}, fmt.Errorf("unable to get metrics for resource %s: %w", name, m.err)
	}
	c, err := o.count(o.pods, m.samples, name, o.now)
	if err != nil {
		return proposal{}, err
	}
	p := proposal{metric: fmt.Sprintf("%s resource", name)}
	calculation := each{}
	if target.AverageValue != nil {
		calculation = average(target.AverageValue.MilliValue())
	} else {
		requested, err := requests(o.pods, container, name)
		if err != nil {
			return proposal{}, err
		}
		percent, err := used(c.use, requested)
		if err != nil {
			return proposal{}, err
		}
		calculation = utilization(requested, *target.AverageUtilization)
		p.current.AverageUtilization = &percent
		p.metric += " utilization (percentage of request)"
		if container != "" {
			p.metric = fmt.Sprintf("%s container resource utilization (percentage of request)", name)
		}
	}
	format := resource.DecimalSI
	if name == corev1.ResourceMemory {
		format = resource.BinarySI
	}
	p.current.AverageValue = resource.NewMilliQuantity(mean(c.use), format)
	p.replicas, err = calculation.replicas(c, o.replicas, o.tolerance())
	return p, err
}

// perPod follows a metric that each Pod has.
func (o *observed) perPod(source *autoscalingv2.PodsMetricSource, m measured) (proposal, error) {
	if m.err != nil {
		return proposal{}, fmt.Errorf("unable to get metric %s: %w", source.Metric.Name, m.err)
	}
	c, err := o.count(o.pods, m.samples, "", o.now)
	if err != nil {
		return proposal{}, err
	}
	p := proposal{metric: "pods metric " + source.Metric.Name}
	p.current.AverageValue = resource.NewMilliQuantity(mean(c.use), resource.DecimalSI)
	p.replicas, err = average(source.Target.AverageValue.MilliValue()).replicas(c, o.replicas, o.tolerance())
	return p, err
}

// whole follows a metric that has one value: of an object, or of something outside the cluster.
func (o *observed) whole(target *autoscalingv2.MetricTarget, m measured) (proposal, error) {
	switch {
	case m.err != nil:
		return proposal{}, m.err
	case target.AverageValue != nil:
		return o.shared(m.value, target.AverageValue.MilliValue()), nil
	case target.Value == nil:
		return proposal{}, errors.New("invalid metric source: neither a value target nor an average value target was set")
	}
	p := proposal{replicas: o.replicas}
	p.current.Value = resource.NewMilliQuantity(m.value, resource.DecimalSI)
	ratio := float64(m.value) / float64(target.Value.MilliValue())
	switch {
	case o.replicas == 0:
		p.replicas = up(ratio)
	case !o.tolerance().covers(ratio):
		if len(o.pods) == 0 {
			return proposal{}, fmt.Errorf("unable to calculate ready pods: %w", errNoPods)
		}
		p.replicas = up(ratio * float64(serving(o.pods)))
	}
	return p, nil
}

// shared divides a value among the Pods there are.
func (o *observed) shared(value, target int64) proposal {
	p := proposal{replicas: o.running}
	if ratio := float64(value) / (float64(target) * float64(o.running)); !o.tolerance().covers(ratio) {
		p.replicas = up(float64(value) / float64(target))
	}
	portion := value
	if o.running > 0 && value < math.MaxInt64 {
		portion = int64(math.Ceil(float64(value) / float64(o.running)))
	}
	p.current.AverageValue = resource.NewMilliQuantity(portion, resource.DecimalSI)
	return p
}

// tolerance is the cluster's, or what the autoscaler says itself.
func (o *observed) tolerance() tolerance {
	t := tolerance{o.settings.tolerance, o.settings.tolerance}
	if behavior := o.autoscaler.Spec.Behavior; behavior != nil {
		if down := behavior.ScaleDown; down != nil && down.Tolerance != nil {
			t.down = down.Tolerance.AsApproximateFloat64()
		}
		if up := behavior.ScaleUp; up != nil && up.Tolerance != nil {
			t.up = up.Tolerance.AsApproximateFloat64()
		}
	}
	return t
}
