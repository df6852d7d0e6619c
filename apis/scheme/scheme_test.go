package scheme

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/utils/ptr"
)

func newScheme(t *testing.T) *Scheme {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestExternalTypesAreTheInMemoryTypes(t *testing.T) {
	s := newScheme(t)
	for _, hub := range []runtime.Object{&corev1.Pod{}, &appsv1.Deployment{}, &autoscalingv2.HorizontalPodAutoscaler{}, &corev1.Event{}} {
		kinds, _, err := s.ObjectKinds(hub)
		if err != nil {
			t.Fatal(err)
		}
		if kinds[0].Version == runtime.APIVersionInternal {
			t.Errorf("the first kind of %T is %v: the served one must come first", hub, kinds[0])
		}
		internal := kinds[0].GroupKind().WithVersion(runtime.APIVersionInternal)
		made, err := s.New(internal)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := s.ObjectKinds(made); got[0] != kinds[0] {
			t.Errorf("%v is made as %T", internal, made)
		}
	}
	event, err := s.New(schema.GroupVersionKind{Group: "events.k8s.io", Version: runtime.APIVersionInternal, Kind: "Event"})
	if _, ok := event.(*corev1.Event); err != nil || !ok {
		t.Errorf("the hub of events.k8s.io is %T, %v", event, err)
	}
}

func TestHubsAreKindsWithLists(t *testing.T) {
	hubs := newScheme(t).Hubs()
	for gvk, want := range map[schema.GroupVersionKind]bool{
		corev1.SchemeGroupVersion.WithKind("Pod"):                            true,
		corev1.SchemeGroupVersion.WithKind("PodList"):                        false,
		corev1.SchemeGroupVersion.WithKind("Binding"):                        false,
		autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"): true,
		autoscalingv1.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"): false,
		eventsv1.SchemeGroupVersion.WithKind("Event"):                        false,
	} {
		if slices.Contains(hubs, gvk) != want {
			t.Errorf("%v: hub %v, want %v", gvk, !want, want)
		}
	}
}

func TestQueriesBecomeOptions(t *testing.T) {
	s := newScheme(t)
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	for query, want := range map[string]runtime.Object{
		"container=c&follow=true&tailLines=3&sinceTime=2026-01-02T03:04:05Z&stream=Stdout": &corev1.PodLogOptions{
			Container: "c", Follow: true, TailLines: ptr.To[int64](3), SinceTime: &at, Stream: ptr.To("Stdout"),
		},
		"follow=false&previous":                     &corev1.PodLogOptions{Previous: true},
		"command=sh&command=-c&stdin=1&container=c": &corev1.PodExecOptions{Command: []string{"sh", "-c"}, Stdin: true, Container: "c"},
		"tty=true&stdout=0":                         &corev1.PodAttachOptions{TTY: true},
		"ports=80&ports=443":                        &corev1.PodPortForwardOptions{Ports: []int32{80, 443}},
		"path=/a/b":                                 &corev1.ServiceProxyOptions{Path: "/a/b"},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got := newLike(want)
		if err := s.Parameters.DecodeParameters(values, corev1.SchemeGroupVersion, got); err != nil {
			t.Errorf("%s: %v", query, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: want (-) and got (+):\n%s", query, d)
		}
	}
	if err := s.Parameters.DecodeParameters(url.Values{"tailLines": {"x"}}, corev1.SchemeGroupVersion, &corev1.PodLogOptions{}); err == nil {
		t.Error("tailLines=x is a number")
	}
}

func newLike(o runtime.Object) runtime.Object {
	switch o.(type) {
	case *corev1.PodLogOptions:
		return &corev1.PodLogOptions{}
	case *corev1.PodExecOptions:
		return &corev1.PodExecOptions{}
	case *corev1.PodAttachOptions:
		return &corev1.PodAttachOptions{}
	case *corev1.PodPortForwardOptions:
		return &corev1.PodPortForwardOptions{}
	}
	return &corev1.ServiceProxyOptions{}
}

func TestMetricsAreTheSameInBothVersions(t *testing.T) {
	s := newScheme(t)
	about, when := metav1.ObjectMeta{Name: "x", Labels: map[string]string{"a": "b"}}, metav1.NewTime(time.Unix(1800000000, 0))
	over := metav1.Duration{Duration: time.Second}
	usage := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	for _, object := range []runtime.Object{
		&metricsv1.NodeMetricsList{Items: []metricsv1.NodeMetrics{{ObjectMeta: about, Timestamp: when, Window: over, Usage: usage}}},
		&metricsv1.PodMetricsList{Items: []metricsv1.PodMetrics{{
			ObjectMeta: about, Timestamp: when, Window: over, Containers: []metricsv1.ContainerMetrics{{Name: "c", Usage: usage}},
		}}},
		&metricsv1.NodeMetrics{ObjectMeta: about, Timestamp: when, Window: over, Usage: usage},
		&metricsv1.PodMetrics{ObjectMeta: about, Timestamp: when, Window: over, Containers: []metricsv1.ContainerMetrics{{Name: "c", Usage: usage}}},
	} {
		var versions []string
		for _, gv := range []schema.GroupVersion{metricsv1.SchemeGroupVersion, metricsv1beta1.SchemeGroupVersion} {
			encoded, err := runtime.Encode(s.Codecs.LegacyCodec(gv), object.DeepCopyObject())
			if err != nil {
				t.Fatalf("%T in %v: %v", object, gv, err)
			}
			versions = append(versions, strings.ReplaceAll(string(encoded), gv.String(), "VERSION"))
		}
		if versions[0] != versions[1] || !strings.Contains(versions[0], "VERSION") || !strings.Contains(versions[0], `"cpu":"1"`) {
			t.Errorf("%T: v1 is %s and v1beta1 is %s", object, versions[0], versions[1])
		}
	}
}

func TestEventsSurviveTheWayThereAndBack(t *testing.T) {
	s := newScheme(t)
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "n"}, Reason: "r", Message: "m", Type: "Normal", Action: "a", Count: 3,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "p"}, Source: corev1.EventSource{Component: "c"},
		ReportingController: "x", Series: &corev1.EventSeries{Count: 2},
	}
	var there eventsv1.Event
	var back corev1.Event
	if err := s.Convert(event, &there, nil); err != nil {
		t.Fatal(err)
	}
	if there.Note != "m" || there.Regarding.Name != "p" || there.DeprecatedCount != 3 {
		t.Errorf("converted to %v", there)
	}
	if err := s.Convert(&there, &back, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(event, &back); d != "" {
		t.Errorf("lost on the way:\n%s", d)
	}
}
