package interpodaffinity

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

const (
	noAffinity = "!node(s) didn't match pod affinity rules"
	noAnti     = "node(s) didn't match pod anti-affinity rules"
	noExisting = "node(s) didn't satisfy existing pods anti-affinity rules"
)

func term(app string, change ...func(*corev1.PodAffinityTerm)) corev1.PodAffinityTerm {
	t := corev1.PodAffinityTerm{TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}}
	for _, c := range change {
		c(&t)
	}
	return t
}

func affinity(p *corev1.Pod) *corev1.Affinity {
	if p.Spec.Affinity == nil {
		p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{}, PodAntiAffinity: &corev1.PodAntiAffinity{}}
	}
	return p.Spec.Affinity
}

func near(terms ...corev1.PodAffinityTerm) func(*corev1.Pod) {
	return func(p *corev1.Pod) { affinity(p).PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution = terms }
}

func away(terms ...corev1.PodAffinityTerm) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		affinity(p).PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution = terms
	}
}

func labeled(name, app string, change ...func(*corev1.Pod)) *corev1.Pod {
	return opinions.Pod(name, append(change, opinions.Labels("app="+app))...)
}

func newPlugin(t *testing.T) *Plugin {
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	for name, team := range map[string]string{"ns": "one", "far": "two"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}
		if err := factory.Core().V1().Namespaces().Informer().GetStore().Add(namespace); err != nil {
			t.Fatal(err)
		}
	}
	return New(factory)
}

func elsewhere(p *corev1.Pod) *corev1.Pod {
	p.Namespace = "far"
	return p
}

func TestRequired(t *testing.T) {
	in := func(namespace string) func(*corev1.PodAffinityTerm) {
		return func(t *corev1.PodAffinityTerm) { t.Namespaces = []string{namespace} }
	}
	ofTeam := func(team string) func(*corev1.PodAffinityTerm) {
		return func(t *corev1.PodAffinityTerm) {
			t.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}}
		}
	}
	nodes := []*snapshot.Node{
		opinions.Node("a1", "zone=a", labeled("web", "web")),
		opinions.Node("a2", "zone=a"),
		opinions.Node("b1", "zone=b", labeled("db", "db", away(term("web"))), elsewhere(labeled("cache", "cache"))),
		opinions.Node("none", ""),
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want []string
	}{
		"no wishes":                   {labeled("p", "x"), []string{"ok", "ok", "ok", "ok"}},
		"near web":                    {labeled("p", "x", near(term("web"))), []string{"ok", "ok", noAffinity, noAffinity}},
		"near nobody there":           {labeled("p", "x", near(term("none"))), []string{noAffinity, noAffinity, noAffinity, noAffinity}},
		"near its own kind, first":    {labeled("p", "x", near(term("x"))), []string{"ok", "ok", "ok", noAffinity}},
		"near two that are apart":     {labeled("p", "x", near(term("web"), term("db"))), []string{noAffinity, noAffinity, noAffinity, noAffinity}},
		"away from web":               {labeled("p", "x", away(term("web"))), []string{noAnti, noAnti, "ok", "ok"}},
		"one that db avoids":          {labeled("p", "web"), []string{"ok", "ok", noExisting, "ok"}},
		"near another namespace's":    {labeled("p", "x", near(term("cache", in("far")))), []string{noAffinity, noAffinity, "ok", noAffinity}},
		"near a team's":               {labeled("p", "x", near(term("cache", ofTeam("two")))), []string{noAffinity, noAffinity, "ok", noAffinity}},
		"near, but other namespace's": {labeled("p", "x", near(term("cache"))), []string{noAffinity, noAffinity, noAffinity, noAffinity}},
	} {
		t.Run(name, func(t *testing.T) {
			opinions.Expect(t, opinions.Filter(t, newPlugin(t), test.pod, nodes...), test.want...)
		})
	}
}

func TestPreferred(t *testing.T) {
	wish := func(weight int32, app string) []corev1.WeightedPodAffinityTerm {
		return []corev1.WeightedPodAffinityTerm{{Weight: weight, PodAffinityTerm: term(app)}}
	}
	toward := func(p *corev1.Pod) {
		affinity(p).PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution = wish(10, "web")
	}
	from := func(p *corev1.Pod) {
		affinity(p).PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution = wish(10, "web")
	}
	a, b := opinions.Node("a", "zone=a", labeled("web", "web")), opinions.Node("b", "zone=b")
	opinions.Expect(t, opinions.Score(t, newPlugin(t), labeled("p", "x", toward), a, b), 100, 0)
	opinions.Expect(t, opinions.Score(t, newPlugin(t), labeled("p", "x", from), a, b), 0, 100)
	fan := opinions.Node("fan", "zone=c", labeled("fan", "fan", near(term("x"))))
	opinions.Expect(t, opinions.Score(t, newPlugin(t), labeled("p", "x"), b, fan), 0, 100)
	opinions.Expect(t, opinions.Score(t, newPlugin(t), labeled("p", "x"), a, b))
}

func TestPodsThatMatterHelp(t *testing.T) {
	seeker, loner := labeled("p", "x", near(term("web"))), labeled("p", "x", away(term("web")))
	for name, test := range map[string]struct {
		pod   *corev1.Pod
		event framework.Event
		want  bool
	}{
		"a wanted one comes":     {seeker, framework.Event{Action: framework.PodAssigned, New: labeled("n", "web")}, true},
		"any other comes":        {seeker, framework.Event{Action: framework.PodAssigned, New: labeled("n", "db")}, false},
		"an unwanted one goes":   {loner, framework.Event{Action: framework.PodRemoved, Old: labeled("n", "web")}, true},
		"any other goes":         {loner, framework.Event{Action: framework.PodRemoved, Old: labeled("n", "db")}, false},
		"one that kept it away":  {labeled("p", "x"), framework.Event{Action: framework.PodRemoved, Old: labeled("n", "db", away(term("x")))}, true},
		"one that avoids others": {labeled("p", "x"), framework.Event{Action: framework.PodRemoved, Old: labeled("n", "db", away(term("y")))}, false},
	} {
		if got := opinions.Helps(newPlugin(t), test.pod, test.event); got != test.want {
			t.Errorf("%s helps: %v, want %v", name, got, test.want)
		}
	}
}
