package metrics

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
)

// podMetrics are made when they are read.
type podMetrics struct{ Config }

func (p *podMetrics) New() runtime.Object     { return &metricsv1.PodMetrics{} }
func (p *podMetrics) NewList() runtime.Object { return &metricsv1.PodMetricsList{} }
func (p *podMetrics) Destroy()                {}
func (p *podMetrics) NamespaceScoped() bool   { return true }
func (p *podMetrics) GetSingularName() string { return "" } // as metrics-server: pod is a Pod

func (p *podMetrics) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	namespace := request.NamespaceValue(ctx)
	pod, err := p.Pods.Pods(namespace).Get(name)
	if err != nil {
		return nil, err
	}
	found := p.of(ctx, []*corev1.Pod{pod})
	if len(found) == 0 {
		return nil, apierrors.NewNotFound(metricsv1.Resource("pods"), namespace+"/"+name)
	}
	return &found[0], nil
}

func (p *podMetrics) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	pods, err := p.Pods.Pods(request.NamespaceValue(ctx)).List(labelSelector(options))
	if err != nil {
		return nil, err
	}
	pods = slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return !named(options, pod) })
	return &metricsv1.PodMetricsList{Items: p.of(ctx, pods)}, nil
}

// of leaves out Pods that do not run and those of which it is not known. Only the nodes of the others are asked.
func (p *podMetrics) of(ctx context.Context, pods []*corev1.Pod) []metricsv1.PodMetrics {
	figures, all, now := p.Figures.Of(ctx, p.nodesOf(pods)), []metricsv1.PodMetrics{}, time.Now()
	for _, pod := range pods {
		uses := figures[pod.Spec.NodeName].Pod(pod.Namespace, pod.Name)
		if !runs(pod) || len(uses) == 0 || another(pod, uses, now) {
			continue
		}
		m := metricsv1.PodMetrics{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: maps.Clone(pod.Labels), CreationTimestamp: metav1.NewTime(now)},
			Timestamp:  metav1.NewTime(uses[0].At), Window: window(uses[0].Window),
		}
		for i := range uses {
			u := &uses[i]
			if u.At.Before(m.Timestamp.Time) { // all was measured up to then
				m.Timestamp, m.Window = metav1.NewTime(u.At), window(u.Window)
			}
			m.Containers = append(m.Containers, metricsv1.ContainerMetrics{Name: u.Name, Usage: usage(&u.Use)})
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b metricsv1.PodMetrics) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (p *podMetrics) nodesOf(pods []*corev1.Pod) []*corev1.Node {
	seen, nodes := map[string]bool{}, []*corev1.Node(nil)
	for _, pod := range pods {
		if name := pod.Spec.NodeName; runs(pod) && !seen[name] {
			seen[name] = true
			if node, err := p.Nodes.Get(name); err == nil {
				nodes = append(nodes, node)
			}
		}
	}
	return nodes
}

func runs(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.Spec.NodeName != ""
}

// another reports whether the figures are of a Pod of the same name that was there before. Kubelets name no UIDs in them; but a
// Pod's containers begin after it, by the clock of its node. With a Pod that is there for longer than figures are remembered there is
// nothing to mix up, and a clock that has been put back does no harm.
func another(pod *corev1.Pod, uses []ContainerUse, now time.Time) bool {
	began := pod.Status.StartTime
	if began == nil || now.Sub(began.Time) > memorable {
		return false
	}
	return slices.ContainsFunc(uses, func(u ContainerUse) bool { return u.since.Before(began.Time) })
}

func (p *podMetrics) ConvertToTable(_ context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return table(obj, options, func(o runtime.Object) *row {
		m, ok := o.(*metricsv1.PodMetrics)
		if !ok {
			return nil
		}
		all := corev1.ResourceList{}
		for _, c := range m.Containers {
			for name, used := range c.Usage {
				sum := all[name]
				sum.Add(used)
				all[name] = sum
			}
		}
		return &row{m.Name, all, m.Window}
	})
}
