package metrics

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/utils/ptr"
)

// known are figures, and who was asked for.
type known struct {
	figures map[string]*Figure
	asked   []string
}

func (k *known) Of(_ context.Context, nodes []*corev1.Node) map[string]*Figure {
	k.asked = nil
	for _, n := range nodes {
		k.asked = append(k.asked, n.Name)
	}
	slices.Sort(k.asked)
	return k.figures
}

func runningPod(ns, name, node string, l map[string]string, began time.Time) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: l}, Spec: corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: ptr.To(metav1.NewTime(began))},
	}
}

// world has nodes n1, n2 (of which nothing is known) and n3 (where nothing runs), and Pods.
func world(t *testing.T) (*known, map[string]rest.Storage) {
	t.Helper()
	now := time.Now()
	day := now.Add(-24 * time.Hour)
	r := func(cpu float64, at time.Time) *reading {
		of := func(name string, since time.Time) (container, sample) {
			return container{"ns", name, "web"}, sample{at, since, cpu, 1 << 20}
		}
		out := &reading{node: sample{at: at, cpu: cpu, memory: 3 << 20}, containers: map[container]sample{}}
		for _, name := range []string{"a", "b", "succeeded"} {
			c, s := of(name, day)
			out.containers[c] = s
		}
		c, s := of("young", now.Add(-50*time.Second))
		out.containers[c] = s
		c, s = of("a", day)
		c.name = "log"
		s.at = at.Add(-500 * time.Millisecond)
		out.containers[c] = s
		return out
	}
	var none *Figure
	f := none.after(r(100, now.Add(-10*time.Second)), now).after(r(102.5, now), now)
	k := &known{figures: map[string]*Figure{"n1": f}}
	pods, nodes := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}), cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)
	for _, name := range []string{"n1", "n2", "n3"} {
		_ = nodes.Add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"zone": name}}})
	}
	succeeded, pending := runningPod("ns", "succeeded", "n1", nil, day), runningPod("ns", "pending", "", nil, day)
	succeeded.Status.Phase, pending.Status.Phase = corev1.PodSucceeded, corev1.PodPending
	for _, p := range []*corev1.Pod{
		runningPod("ns", "a", "n1", map[string]string{"app": "a"}, day), runningPod("ns", "b", "n1", map[string]string{"app": "b"}, day),
		runningPod("ns", "young", "n1", nil, now.Add(-10*time.Second)), // what was measured began before it
		runningPod("ns", "unknown", "n1", nil, day), runningPod("ns", "far", "n2", map[string]string{"app": "a"}, day),
		runningPod("other", "a", "n1", nil, day), succeeded, pending,
	} {
		_ = pods.Add(p)
	}
	all := Endpoints(Config{Figures: k, Pods: corelisters.NewPodLister(pods), Nodes: corelisters.NewNodeLister(nodes)})
	if len(all[metricsv1beta1.SchemeGroupVersion]) != 2 {
		t.Fatalf("endpoints %v", all)
	}
	return k, all[metricsv1.SchemeGroupVersion]
}

func TestListsOfMetrics(t *testing.T) {
	k, endpoints := world(t)
	for _, c := range []struct {
		of, namespace, label, field string
		want, asked                 []string
	}{
		{of: "pods", namespace: "ns", want: []string{"ns/a", "ns/b"}, asked: []string{"n1", "n2"}},
		{of: "pods", want: []string{"ns/a", "ns/b"}, asked: []string{"n1", "n2"}},
		{of: "pods", namespace: "ns", label: "app=b", want: []string{"ns/b"}, asked: []string{"n1"}},
		{of: "pods", namespace: "ns", field: "metadata.name=a", want: []string{"ns/a"}, asked: []string{"n1"}},
		{of: "pods", field: "metadata.namespace!=ns", asked: []string{"n1"}},
		{of: "pods", namespace: "empty"},
		{of: "nodes", want: []string{"n1"}, asked: []string{"n1", "n2", "n3"}},
		{of: "nodes", label: "zone in (n1)", want: []string{"n1"}, asked: []string{"n1"}},
		{of: "nodes", field: "metadata.name=n2", asked: []string{"n2"}},
	} {
		name := fmt.Sprint(c.of, " ", c.namespace, c.label, c.field)
		label, err := labels.Parse(c.label)
		if err != nil {
			t.Fatal(err)
		}
		ctx := request.WithNamespace(t.Context(), c.namespace)
		list, err := endpoints[c.of].(rest.Lister).List(ctx, &internalversion.ListOptions{LabelSelector: label, FieldSelector: fields.ParseSelectorOrDie(c.field)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		switch list := list.(type) {
		case *metricsv1.PodMetricsList:
			if list.Items == nil {
				t.Errorf("%s: the list is null, not empty", name)
			}
			for _, m := range list.Items {
				got = append(got, m.Namespace+"/"+m.Name)
			}
		case *metricsv1.NodeMetricsList:
			for _, m := range list.Items {
				got = append(got, m.Name)
			}
		}
		if d := cmp.Diff(c.want, got) + cmp.Diff(c.asked, k.asked); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

func TestOneObjectOfMetrics(t *testing.T) {
	_, endpoints := world(t)
	ctx := request.WithNamespace(t.Context(), "ns")
	get := func(of, name string) (runtime.Object, error) {
		return endpoints[of].(rest.Getter).Get(ctx, name, &metav1.GetOptions{})
	}
	for _, missing := range [][2]string{{"pods", "far"}, {"pods", "pending"}, {"pods", "young"}, {"pods", "never"}, {"nodes", "n2"}, {"nodes", "n9"}} {
		if got, err := get(missing[0], missing[1]); !apierrors.IsNotFound(err) {
			t.Errorf("%v: got %v, %v", missing, got, err)
		}
	}
	o, err := get("pods", "a")
	if err != nil {
		t.Fatal(err)
	}
	m := o.(*metricsv1.PodMetrics)
	if len(m.Containers) != 2 || m.Containers[0].Name != "log" || m.Window.Duration != 10*time.Second || m.Labels["app"] != "a" ||
		time.Since(m.Timestamp.Time) < 500*time.Millisecond {
		t.Errorf("Pod a: %v", m)
	}
	if cpu, memory := m.Containers[1].Usage.Cpu().String(), m.Containers[1].Usage.Memory().String(); cpu != "250000000n" && cpu != "250m" || memory != "1Mi" {
		t.Errorf("container web uses %s, %s", cpu, memory)
	}
	if o, err = get("nodes", "n1"); err != nil || o.(*metricsv1.NodeMetrics).Usage.Memory().String() != "3Mi" {
		t.Errorf("node n1: %v, %v", o, err)
	}
}

func TestTablesOfMetrics(t *testing.T) {
	_, endpoints := world(t)
	ctx := request.WithNamespace(t.Context(), "ns")
	for of, want := range map[string][]any{"pods": {"a", "500m", "2Mi", "10s"}, "nodes": {"n1", "250m", "3Mi", "10s"}} {
		list, err := endpoints[of].(rest.Lister).List(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		convertor := endpoints[of].(rest.TableConvertor)
		table, err := convertor.ConvertToTable(ctx, list, &metav1.TableOptions{})
		if err != nil || len(table.ColumnDefinitions) != 4 || len(table.Rows) == 0 {
			t.Errorf("%s: %v, %v", of, table, err)
			continue
		}
		if d := cmp.Diff(want, table.Rows[0].Cells); d != "" {
			t.Errorf("%s:\n%s", of, d)
		}
		if table, err = convertor.ConvertToTable(ctx, endpoints[of].New(), &metav1.TableOptions{NoHeaders: true}); err != nil || len(table.Rows) != 1 || table.ColumnDefinitions != nil {
			t.Errorf("one of %s without headers: %v, %v", of, table, err)
		}
		if _, err := convertor.ConvertToTable(ctx, &metav1.Status{}, nil); err == nil {
			t.Errorf("%s: a Status is in the table", of)
		}
	}
}
