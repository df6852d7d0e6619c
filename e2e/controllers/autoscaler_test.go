package controllers_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	externalmetrics "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metrics "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

// metricsServer answers for metrics.k8s.io and external.metrics.k8s.io: each Pod uses 900m, and 50 pieces of work wait.
func metricsServer(w http.ResponseWriter, r *http.Request) {
	meta := func(kind, version string) metav1.TypeMeta { return metav1.TypeMeta{Kind: kind, APIVersion: version} }
	resources := func(version, name, kind string) any {
		return metav1.APIResourceList{TypeMeta: meta("APIResourceList", "v1"), GroupVersion: version, APIResources: []metav1.APIResource{
			{Name: name, Kind: kind, Namespaced: true, Verbs: []string{"get", "list"}},
		}}
	}
	var answer any
	switch path := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); {
	case r.URL.Path == "/apis/metrics.k8s.io/v1beta1":
		answer = resources("metrics.k8s.io/v1beta1", "pods", "PodMetrics")
	case r.URL.Path == "/apis/external.metrics.k8s.io/v1beta1":
		answer = resources("external.metrics.k8s.io/v1beta1", "work", "ExternalMetricValueList")
	case len(path) == 6 && path[1] == "metrics.k8s.io":
		list := metrics.PodMetricsList{TypeMeta: meta("PodMetricsList", "metrics.k8s.io/v1beta1")}
		var pods corev1.PodList
		if err := admin.List(r.Context(), &pods); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for _, pod := range pods.Items {
			if pod.Namespace == path[4] {
				list.Items = append(list.Items, metrics.PodMetrics{
					ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, Timestamp: metav1.NewTime(time.Now().Add(time.Hour)),
					Window:     metav1.Duration{Duration: time.Second},
					Containers: []metrics.ContainerMetrics{{Name: "web", Usage: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("900m")}}},
				})
			}
		}
		answer = list
	case len(path) == 6:
		answer = externalmetrics.ExternalMetricValueList{TypeMeta: meta("ExternalMetricValueList", "external.metrics.k8s.io/v1beta1"), Items: []externalmetrics.ExternalMetricValue{
			{MetricName: "work", Timestamp: metav1.Now(), Value: resource.MustParse("50")},
		}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// serveMetrics aggregates the metrics server, as a user's own is.
func serveMetrics(t *testing.T, ns string) {
	s := httptest.NewTLSServer(http.HandlerFunc(metricsServer))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := net.SplitHostPort(u.Host)
	port, _ := strconv.Atoi(text)
	create(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "metrics"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	})
	services := aggregator.NewForConfigOrDie(adminConfig).ApiregistrationV1().APIServices()
	discovery := kubernetes.NewForConfigOrDie(adminConfig).Discovery()
	for _, group := range []string{"metrics.k8s.io", "external.metrics.k8s.io"} {
		name := "v1beta1." + group
		applied, err := json.Marshal(&apiregistrationv1.APIService{
			TypeMeta:   metav1.TypeMeta{Kind: "APIService", APIVersion: apiregistrationv1.SchemeGroupVersion.String()},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: apiregistrationv1.APIServiceSpec{
				Group: group, Version: "v1beta1", GroupPriorityMinimum: 100, VersionPriority: 100, InsecureSkipTLSVerify: true,
				Service: &apiregistrationv1.ServiceReference{Namespace: ns, Name: "metrics", Port: ptr.To(int32(port))},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		// Over the cluster's own, where it has one.
		if _, err := services.Patch(t.Context(), name, types.ApplyPatchType, applied, metav1.PatchOptions{FieldManager: "test", Force: ptr.To(true)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx := await.Context(t, "APIService "+name+" is deleted")
			if err := services.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
		await.Until(t, group+" is discovered", func() bool {
			list, err := discovery.ServerResourcesForGroupVersion(group + "/v1beta1")
			return err == nil && len(list.APIResources) == 1
		})
	}
}

func scaled(t *testing.T, ns, name string, replicas int32) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector(), Template: template()},
	}
	d.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	create(t, d)
	eventually(t, d, func() error {
		runPods(t, ns)
		if d.Status.ReadyReplicas != replicas {
			return fmt.Errorf("%d of %d are ready", d.Status.ReadyReplicas, replicas)
		}
		return nil
	})
	pods := list(t, &corev1.PodList{}, ns)
	for i := range pods.Items { // what has just started says nothing yet
		change(t, &pods.Items[i], updateStatus, func(p *corev1.Pod) { p.Status.StartTime = ptr.To(metav1.NewTime(time.Now().Add(-time.Hour))) })
	}
	return d
}

func autoscaler(ns, target string, metric autoscalingv2.MetricSpec) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: target}, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: target},
		MaxReplicas:    8, Metrics: []autoscalingv2.MetricSpec{metric},
	}}
}

func TestAutoscalersFollowWhatIsMeasured(t *testing.T) {
	ns := namespace(t)
	serveMetrics(t, ns)
	for name, c := range map[string]struct {
		metric autoscalingv2.MetricSpec
		want   int32
	}{
		"cpu": {autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
			Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](30)},
		}}, 6},
		"work": {autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: "work"},
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse("20"))},
		}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t)
			d := scaled(t, ns, name, 2)
			a := autoscaler(ns, name, c.metric)
			a.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{
				Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 900, PeriodSeconds: 15}},
			}}
			create(t, a)
			eventually(t, d, func() error {
				if *d.Spec.Replicas != c.want {
					get(t, a)
					return fmt.Errorf("%d replicas, not %d: %+v", *d.Spec.Replicas, c.want, a.Status)
				}
				return nil
			})
			eventually(t, a, func() error {
				if a.Status.DesiredReplicas != c.want || a.Status.LastScaleTime == nil || len(a.Status.CurrentMetrics) != 1 {
					return fmt.Errorf("status %+v", a.Status)
				}
				return nil
			})
		})
	}
}

func TestAutoscalersSayWhyTheyDoNothing(t *testing.T) {
	ns := namespace(t)
	scaled(t, ns, "blind", 1)
	metric := autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "qps"},
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse("20"))},
	}}
	for name, want := range map[string]struct {
		kind   autoscalingv2.HorizontalPodAutoscalerConditionType
		reason string
	}{
		"blind": {autoscalingv2.ScalingActive, "FailedGetPodsMetric"}, // nobody serves such metrics
		"gone":  {autoscalingv2.AbleToScale, "FailedGetScale"},        // there is no such Deployment
	} {
		a := autoscaler(ns, name, metric)
		create(t, a)
		eventually(t, a, func() error {
			for _, c := range a.Status.Conditions {
				if c.Type == want.kind && c.Status == corev1.ConditionFalse && c.Reason == want.reason {
					return nil
				}
			}
			return fmt.Errorf("%s: conditions %+v", name, a.Status.Conditions)
		})
	}
}
