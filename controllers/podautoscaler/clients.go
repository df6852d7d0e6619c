package podautoscaler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/scale"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	resourcemetrics "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

// Resource is where a kind is in the API.
type Resource = schema.GroupResource

type scales struct {
	mapper meta.RESTMapper
	client scale.ScalesGetter
}

// NewScales reads and writes scales through the API. The mapper finds kinds that come later, too.
func NewScales(config *rest.Config, mapper meta.RESTMapper, resources discovery.DiscoveryInterface) (Scales, error) {
	client, err := scale.NewForConfig(config, mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(resources))
	return &scales{mapper, client}, err
}

func (s *scales) Get(ctx context.Context, namespace string, target autoscalingv2.CrossVersionObjectReference) (*autoscalingv1.Scale, Resource, error) {
	version, err := schema.ParseGroupVersion(target.APIVersion)
	if err != nil {
		return nil, Resource{}, err
	}
	mappings, err := s.mapper.RESTMappings(schema.GroupKind{Group: version.Group, Kind: target.Kind})
	if err != nil {
		return nil, Resource{}, err
	}
	var first error
	for _, m := range mappings {
		found, err := s.client.Scales(namespace).Get(ctx, m.Resource.GroupResource(), target.Name, metav1.GetOptions{})
		if err == nil {
			return found, m.Resource.GroupResource(), nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = errors.New("unrecognized resource")
	}
	return nil, Resource{}, first
}

func (s *scales) Update(ctx context.Context, resource Resource, scale *autoscalingv1.Scale) error {
	_, err := s.client.Scales(scale.Namespace).Update(ctx, resource, scale, metav1.UpdateOptions{})
	return err
}

type metricsAPIs struct {
	resource resourcemetrics.MetricsV1beta1Interface
	versions custom_metrics.AvailableAPIsGetter
	custom   custom_metrics.CustomMetricsClient
	external external_metrics.ExternalMetricsClient
}

// NewMetrics asks metrics.k8s.io, custom.metrics.k8s.io and external.metrics.k8s.io, whoever serves them.
func NewMetrics(config *rest.Config, mapper meta.RESTMapper, resources discovery.DiscoveryInterface) (Metrics, error) {
	resource, err := resourcemetrics.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	external, err := external_metrics.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	versions := custom_metrics.NewAvailableAPIsGetter(resources)
	return &metricsAPIs{resource, versions, custom_metrics.NewForConfig(config, mapper, versions), external}, nil
}

// customFailed lets the next question find out anew which version is served.
func (m *metricsAPIs) customFailed(err error) error {
	if versions, ok := m.versions.(interface{ Invalidate() }); ok {
		versions.Invalidate()
	}
	return fmt.Errorf("unable to fetch metrics from custom metrics API: %w", err)
}

func (m *metricsAPIs) Resource(ctx context.Context, namespace, selector string, resource corev1.ResourceName, container string) (map[string]Sample, error) {
	list, err := m.resource.PodMetricses(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("unable to fetch metrics from resource metrics API: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, errors.New("no metrics returned from resource metrics API")
	}
	samples := map[string]Sample{}
	for i := range list.Items {
		pod := &list.Items[i]
		if value, ok := usage(pod, resource, container); ok {
			samples[pod.Name] = Sample{value, pod.Timestamp.Time, pod.Window.Duration}
		}
	}
	return samples, nil
}

// usage is what a Pod or one of its containers uses; it is not known if that is not known of one of its containers.
func usage(pod *metricsv1beta1.PodMetrics, resource corev1.ResourceName, container string) (sum int64, ok bool) {
	for _, c := range pod.Containers {
		if container != "" && c.Name != container {
			continue
		}
		used, found := c.Usage[resource]
		if !found {
			return 0, false
		}
		sum, ok = sum+used.MilliValue(), true
	}
	return sum, ok
}

// window is over how long custom metrics are measured that do not say so.
const window = time.Minute

func (m *metricsAPIs) Pods(_ context.Context, namespace, selector string, metric autoscalingv2.MetricIdentifier) (map[string]Sample, error) {
	pods, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	of, err := metav1.LabelSelectorAsSelector(metric.Selector)
	if err != nil {
		return nil, err
	}
	list, err := m.custom.NamespacedMetrics(namespace).GetForObjects(schema.GroupKind{Kind: "Pod"}, pods, metric.Name, of)
	if err != nil {
		return nil, m.customFailed(err)
	}
	if len(list.Items) == 0 {
		return nil, errors.New("no metrics returned from custom metrics API")
	}
	samples := make(map[string]Sample, len(list.Items))
	for _, v := range list.Items {
		over := window
		if v.WindowSeconds != nil {
			over = time.Duration(*v.WindowSeconds) * time.Second
		}
		samples[v.DescribedObject.Name] = Sample{v.Value.MilliValue(), v.Timestamp.Time, over}
	}
	return samples, nil
}

func (m *metricsAPIs) Object(_ context.Context, namespace string, object autoscalingv2.CrossVersionObjectReference, metric autoscalingv2.MetricIdentifier) (int64, error) {
	of, err := metav1.LabelSelectorAsSelector(metric.Selector)
	if err != nil {
		return 0, err
	}
	kind := schema.FromAPIVersionAndKind(object.APIVersion, object.Kind).GroupKind()
	from, name := m.custom.NamespacedMetrics(namespace), object.Name
	if kind == (schema.GroupKind{Kind: "Namespace"}) {
		from, name = m.custom.RootScopedMetrics(), namespace // never another one
	}
	value, err := from.GetForObject(kind, name, metric.Name, of)
	if err != nil {
		return 0, m.customFailed(err)
	}
	return value.Value.MilliValue(), nil
}

func (m *metricsAPIs) External(_ context.Context, namespace string, metric autoscalingv2.MetricIdentifier) (int64, error) {
	of, err := metav1.LabelSelectorAsSelector(metric.Selector)
	if err != nil {
		return 0, err
	}
	list, err := m.external.NamespacedMetrics(namespace).List(metric.Name, of)
	if err != nil {
		return 0, fmt.Errorf("unable to fetch metrics from external metrics API: %w", err)
	}
	if len(list.Items) == 0 {
		return 0, errors.New("no metrics returned from external metrics API")
	}
	var sum int64
	for _, v := range list.Items {
		value := v.Value.MilliValue()
		if value > 0 && sum > math.MaxInt64-value {
			return math.MaxInt64, nil
		}
		sum += value
	}
	return sum, nil
}
