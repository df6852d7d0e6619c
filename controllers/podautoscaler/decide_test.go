package podautoscaler

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }

// podWith is one that is ready, long since, and requests a whole CPU and 1000 bytes.
func podWith(name string, changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1000"),
		}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: ptr.To(ago(time.Hour)), Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(50 * time.Minute)},
		}},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func pending(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }
func failed(p *corev1.Pod)  { p.Status.Phase = corev1.PodFailed }
func ending(p *corev1.Pod)  { p.DeletionTimestamp = ptr.To(ago(time.Second)) }
func neverReady(p *corev1.Pod) {
	p.Status.Conditions[0].Status, p.Status.Conditions[0].LastTransitionTime = corev1.ConditionFalse, ago(time.Hour-time.Second)
}
func justStarted(p *corev1.Pod) {
	p.Status.StartTime, p.Status.Conditions[0].LastTransitionTime = ptr.To(ago(time.Minute)), ago(10*time.Second)
}
func noRequests(p *corev1.Pod) { p.Spec.Containers[0].Resources = corev1.ResourceRequirements{} }

// pods are ready ones p0 to p(n-1), then others.
func pods(n int, others ...func(*corev1.Pod)) []*corev1.Pod {
	var all []*corev1.Pod
	for i := range n {
		all = append(all, podWith(fmt.Sprint("p", i)))
	}
	for i, change := range others {
		all = append(all, podWith(fmt.Sprint("p", n+i), change))
	}
	return all
}

// using are samples of p0, p1 ... in thousandths; -1 is none.
func using(values ...int64) measured {
	m := measured{samples: map[string]Sample{}}
	for i, v := range values {
		if v >= 0 {
			m.samples[fmt.Sprint("p", i)] = Sample{Value: v, Time: now.Add(-5 * time.Second), Window: 30 * time.Second}
		}
	}
	return m
}

func cpu(percent int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent},
	}}
}

func memory1k(average string) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: corev1.ResourceMemory, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse(average))},
	}}
}

func queries(average string) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "qps"},
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse(average))},
	}}
}

func backlog(target autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "backlog"}, Target: target,
	}}
}

func total(value string) autoscalingv2.MetricTarget {
	return autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: ptr.To(resource.MustParse(value))}
}

func portion(value string) autoscalingv2.MetricTarget {
	return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse(value))}
}

func autoscaler(metrics ...autoscalingv2.MetricSpec) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
		MinReplicas:    ptr.To[int32](1), MaxReplicas: 100, Metrics: metrics,
	}}
}

// look is what a controller sees that has just begun.
func look(a *autoscalingv2.HorizontalPodAutoscaler, replicas int32, pods []*corev1.Pod, found ...measured) *observed {
	o := &observed{settings: Config{}.settings(), autoscaler: a, replicas: replicas, running: replicas, pods: pods, measured: found, past: &past{}, now: now}
	o.stabilization = 0 // has tests of its own
	return o
}

func TestReplicasFollowMetrics(t *testing.T) {
	unknown := measured{err: errors.New("nobody answers")}
	for name, c := range map[string]struct {
		metrics  []autoscalingv2.MetricSpec
		replicas int32
		pods     []*corev1.Pod
		found    []measured
		want     int32
		reason   string
	}{
		"more than its target":          {[]autoscalingv2.MetricSpec{cpu(50)}, 2, pods(2), []measured{using(900, 600)}, 3, "cpu resource utilization (percentage of request) above target"},
		"less than its target":          {[]autoscalingv2.MetricSpec{cpu(50)}, 4, pods(4), []measured{using(100, 100, 100, 100)}, 1, "All metrics below target"},
		"within tolerance":              {[]autoscalingv2.MetricSpec{cpu(50)}, 2, pods(2), []measured{using(540, 540)}, 2, ""},
		"the metric that wants most":    {[]autoscalingv2.MetricSpec{cpu(50), memory1k("500")}, 2, pods(2), []measured{using(100, 100), using(1000_000, 1000_000)}, 4, "memory resource above target"},
		"by Pods' own metric":           {[]autoscalingv2.MetricSpec{queries("10")}, 3, pods(3), []measured{using(20_000, 20_000, 20_000)}, 6, "pods metric qps above target"},
		"a value for all":               {[]autoscalingv2.MetricSpec{backlog(total("100"))}, 2, pods(2), []measured{{value: 150_000}}, 3, "external metric backlog(nil) above target"},
		"a value to be shared":          {[]autoscalingv2.MetricSpec{backlog(portion("10"))}, 2, pods(2), []measured{{value: 61_000}}, 4, "external metric backlog(nil) above target"},
		"unready Pods are idle":         {[]autoscalingv2.MetricSpec{cpu(50)}, 3, pods(2, neverReady), []measured{using(900, 900, 0)}, 4, "cpu resource utilization (percentage of request) above target"},
		"starting takes CPU":            {[]autoscalingv2.MetricSpec{cpu(50)}, 3, pods(2, justStarted), []measured{using(500, 500, 1000)}, 3, ""},
		"pending Pods do not multiply":  {[]autoscalingv2.MetricSpec{cpu(50)}, 12, pods(2, pending, pending, pending, pending, pending, pending, pending, pending, pending, pending), []measured{using(1000, 1000)}, 12, ""},
		"ending Pods are no demand":     {[]autoscalingv2.MetricSpec{cpu(50)}, 2, pods(2, ending, ending), []measured{using(500, 500, 1000, 1000)}, 2, ""},
		"failed Pods are no demand":     {[]autoscalingv2.MetricSpec{cpu(50)}, 2, pods(2, failed), []measured{using(500, 500, 1000)}, 2, ""},
		"missing ones are full, down":   {[]autoscalingv2.MetricSpec{cpu(50)}, 4, pods(4), []measured{using(100, 100, 100, -1)}, 3, "All metrics below target"},
		"missing ones are idle, up":     {[]autoscalingv2.MetricSpec{cpu(50)}, 4, pods(4), []measured{using(900, 900, 900, -1)}, 6, "cpu resource utilization (percentage of request) above target"},
		"missing ones turn nothing":     {[]autoscalingv2.MetricSpec{cpu(50)}, 2, pods(2), []measured{using(600, -1)}, 2, ""},
		"unknown beside one that grows": {[]autoscalingv2.MetricSpec{memory1k("500"), cpu(50)}, 2, pods(2), []measured{unknown, using(900, 900)}, 4, "cpu resource utilization (percentage of request) above target"},
		"above the maximum":             {[]autoscalingv2.MetricSpec{cpu(50)}, 120, nil, nil, 100, "Current number of replicas above Spec.MaxReplicas"},
		"set to zero by somebody":       {[]autoscalingv2.MetricSpec{cpu(50)}, 0, nil, nil, 0, ""},
		"no faster than allowed":        {[]autoscalingv2.MetricSpec{cpu(10)}, 3, pods(3), []measured{using(1000, 1000, 1000)}, 6, "cpu resource utilization (percentage of request) above target"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decide(look(autoscaler(c.metrics...), c.replicas, c.pods, c.found...))
			if p.replicas != c.want || p.reason != c.reason {
				t.Errorf("%d replicas (%q), not %d (%q); %v", p.replicas, p.reason, c.want, c.reason, p.err)
			}
		})
	}
}

func TestWhatIsNotKnownShrinksNothing(t *testing.T) {
	unknown := measured{err: errors.New("nobody answers")}
	for name, c := range map[string]struct {
		metrics []autoscalingv2.MetricSpec
		pods    []*corev1.Pod
		found   []measured
		reason  string // of ScalingActive
		says    string
	}{
		"one metric of two":      {[]autoscalingv2.MetricSpec{memory1k("500"), cpu(50)}, pods(2), []measured{unknown, using(1, 1)}, "FailedGetResourceMetric", "nobody answers"},
		"no request":             {[]autoscalingv2.MetricSpec{cpu(50)}, pods(1, noRequests), []measured{using(1, 1)}, "FailedGetResourceMetric", "missing request for cpu in container c of Pod p1"},
		"no Pods":                {[]autoscalingv2.MetricSpec{cpu(50)}, nil, []measured{using(1)}, "FailedGetResourceMetric", "no pods returned by selector"},
		"no Pod with a sample":   {[]autoscalingv2.MetricSpec{queries("1")}, pods(2), []measured{using()}, "FailedGetPodsMetric", "did not receive metrics"},
		"another Pod's sample":   {[]autoscalingv2.MetricSpec{queries("1")}, pods(0, func(p *corev1.Pod) { p.Status.StartTime = &metav1.Time{Time: now} }), []measured{using(0)}, "FailedGetPodsMetric", "did not receive metrics"},
		"outside, no answer":     {[]autoscalingv2.MetricSpec{backlog(total("1"))}, pods(2), []measured{unknown}, "FailedGetExternalMetric", "nobody answers"},
		"unknown kind of metric": {[]autoscalingv2.MetricSpec{{Type: "Moon"}}, pods(2), []measured{{}}, "InvalidMetricSourceType", `"Moon"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := decide(look(autoscaler(c.metrics...), 2, c.pods, c.found...))
			active := conditionOf(p, autoscalingv2.ScalingActive)
			if p.replicas != 2 || p.err == nil || active.Status != corev1.ConditionFalse || active.Reason != c.reason || !strings.Contains(active.Message, c.says) {
				t.Errorf("%d replicas, %v: %+v", p.replicas, p.err, active)
			}
			if len(p.tell) == 0 || p.tell[len(p.tell)-1].reason != "FailedComputeMetricsReplicas" {
				t.Errorf("it tells %v", p.tell)
			}
		})
	}
}

func conditionOf(p *plan, kind autoscalingv2.HorizontalPodAutoscalerConditionType) (c autoscalingv2.HorizontalPodAutoscalerCondition) {
	for _, c := range p.status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return c
}

func TestSidecarsAndPodsRequestsCount(t *testing.T) {
	sidecar := podWith("p0", func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = []corev1.Container{{Name: "once"}, {Name: "s", RestartPolicy: &always, Resources: p.Spec.Containers[0].Resources}}
	})
	whole := podWith("p0", func(p *corev1.Pod) {
		p.Spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}}
	})
	for name, c := range map[string]struct {
		pod       *corev1.Pod
		container string
		want      int64
		err       string
	}{
		"containers and sidecars": {sidecar, "", 2000, ""},
		"one container":           {sidecar, "s", 1000, ""},
		"no such container":       {sidecar, "x", 0, "container x not found in Pod p0"},
		"the Pod's own":           {whole, "", 3000, ""},
		"a container of such":     {whole, "c", 1000, ""},
	} {
		got, err := request(c.pod, c.container, corev1.ResourceCPU)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

func TestScaleToZero(t *testing.T) {
	zero := func(a *autoscalingv2.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscaler {
		a.Spec.MinReplicas = ptr.To[int32](0)
		return a
	}
	byUs := func(a *autoscalingv2.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscaler {
		a.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScaledToZero, Status: corev1.ConditionTrue}}
		return a
	}
	work := backlog(total("10"))
	for name, c := range map[string]struct {
		a        *autoscalingv2.HorizontalPodAutoscaler
		replicas int32
		value    int64
		want     int32
	}{
		"no work":                      {zero(autoscaler(work)), 2, 0, 0},
		"work again":                   {byUs(zero(autoscaler(work))), 0, 25_000, 3},
		"still none":                   {byUs(zero(autoscaler(work))), 0, 0, 0},
		"somebody else's zero":         {zero(autoscaler(work)), 0, 25_000, 0},
		"no longer allowed to be none": {byUs(autoscaler(work)), 0, 0, 1},
	} {
		o := look(c.a, c.replicas, pods(int(c.replicas)), measured{value: c.value})
		if p := decide(o); p.replicas != c.want {
			t.Errorf("%s: %d replicas, not %d", name, p.replicas, c.want)
		}
	}
}

func TestPace(t *testing.T) {
	rules := func(choice autoscalingv2.ScalingPolicySelect, policies ...autoscalingv2.HPAScalingPolicy) *autoscalingv2.HPAScalingRules {
		return &autoscalingv2.HPAScalingRules{SelectPolicy: &choice, Policies: policies}
	}
	byPods := func(n, period int32) autoscalingv2.HPAScalingPolicy {
		return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: n, PeriodSeconds: period}
	}
	byPercent := func(n, period int32) autoscalingv2.HPAScalingPolicy {
		return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: n, PeriodSeconds: period}
	}
	recent := []change{{3, now.Add(-30 * time.Second)}}
	for name, c := range map[string]struct {
		up, down        *autoscalingv2.HPAScalingRules
		past            past
		current, wanted int32
		want            int32
		reason          string
	}{
		"doubled":               {nil, nil, past{}, 10, 50, 20, "ScaleUpLimit"},
		"four at least":         {nil, nil, past{}, 1, 50, 4, "ScaleUpLimit"},
		"the faster policy":     {rules("Max", byPods(4, 60), byPercent(10, 60)), nil, past{}, 10, 50, 14, "ScaleUpLimit"},
		"the slower policy":     {rules("Min", byPods(4, 60), byPercent(10, 60)), nil, past{}, 10, 50, 11, "ScaleUpLimit"},
		"up is off":             {rules("Disabled", byPods(4, 60)), nil, past{}, 10, 50, 10, "ScaleUpLimit"},
		"the period is used up": {rules("Max", byPods(3, 60)), nil, past{grown: recent}, 10, 50, 10, "ScaleUpLimit"},
		"the period is over":    {rules("Max", byPods(3, 20)), nil, past{grown: recent}, 10, 50, 13, "ScaleUpLimit"},
		"slowly down":           {nil, rules("Max", byPods(2, 60)), past{}, 10, 1, 8, "ScaleDownLimit"},
		"percent down":          {nil, rules("Max", byPercent(25, 60)), past{}, 10, 1, 7, "ScaleDownLimit"},
		"down is off":           {nil, rules("Disabled", byPods(2, 60)), past{}, 10, 1, 10, "ScaleDownLimit"},
		"what was taken counts": {nil, rules("Max", byPods(4, 60)), past{shrunk: recent}, 10, 1, 9, "ScaleDownLimit"},
		"the maximum":           {rules("Max", byPercent(900, 60)), nil, past{}, 10, 90, 60, "TooManyReplicas"},
		"the minimum":           {nil, rules("Max", byPercent(100, 60)), past{}, 10, 0, 2, "TooFewReplicas"},
		"neither":               {rules("Max", byPods(4, 60)), nil, past{}, 10, 12, 12, "DesiredWithinRange"},
	} {
		var behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
		if c.up != nil || c.down != nil {
			behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: c.up, ScaleDown: c.down}
		}
		if got := c.past.within(c.current, c.wanted, 2, 60, behavior, now); got.replicas != c.want || got.reason != c.reason {
			t.Errorf("%s: %+v, not %d, %s", name, got, c.want, c.reason)
		}
	}
}

func TestStabilization(t *testing.T) {
	p := past{recommended: []recommendation{{2, now.Add(-10 * time.Minute)}, {9, now.Add(-4 * time.Minute)}, {4, now.Add(-20 * time.Second)}}}
	rules := func(up, down int32) *autoscalingv2.HorizontalPodAutoscalerBehavior {
		return &autoscalingv2.HorizontalPodAutoscalerBehavior{
			ScaleUp: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &up}, ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &down},
		}
	}
	for name, c := range map[string]struct {
		behavior        *autoscalingv2.HorizontalPodAutoscalerBehavior
		current, wanted int32
		want            int32
	}{
		"down to what was wanted lately":    {nil, 10, 3, 9},
		"up at once":                        {nil, 3, 20, 20},
		"a short window":                    {rules(0, 60), 10, 3, 4},
		"none":                              {rules(0, 0), 10, 3, 3},
		"up to what has long been wanted":   {rules(60, 300), 3, 20, 4},
		"up, but never down on the way":     {rules(900, 0), 3, 20, 3},
		"the usual window, if none is said": {&autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{}}, 10, 3, 9},
	} {
		if got := p.stabilize(c.current, c.wanted, c.behavior, 5*time.Minute, now); got != c.want {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
}

func TestPastIsForgotten(t *testing.T) {
	var p past
	for i := range 1000 {
		p.recommend(int32(i), now.Add(time.Duration(i)*15*time.Second))
		p.scaled(1, 2, now.Add(time.Duration(i)*15*time.Second))
	}
	if len(p.recommended) != 241 || len(p.grown) != 241 {
		t.Errorf("%d recommendations, %d changes", len(p.recommended), len(p.grown))
	}
}

func TestRescaledIsTold(t *testing.T) {
	o := look(autoscaler(cpu(50)), 2, pods(2), using(900, 600))
	p := decide(o)
	o.rescaled(p, nil)
	able := conditionOf(p, autoscalingv2.AbleToScale)
	if able.Reason != "SucceededRescale" || p.status.DesiredReplicas != 3 || p.status.LastScaleTime == nil || len(o.past.grown) != 1 ||
		p.tell[0] != (announcement{corev1.EventTypeNormal, "SuccessfulRescale", "New size: 3; reason: cpu resource utilization (percentage of request) above target"}) {
		t.Errorf("%+v %+v", p, able)
	}
	p = decide(o)
	o.rescaled(p, errors.New("no"))
	if able := conditionOf(p, autoscalingv2.AbleToScale); able.Reason != "FailedUpdateScale" || able.Status != corev1.ConditionFalse {
		t.Errorf("%+v", able)
	}
}
