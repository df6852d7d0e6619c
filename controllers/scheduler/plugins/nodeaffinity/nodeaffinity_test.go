package nodeaffinity

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func selector(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{key: value} }
}

func label(key string, operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
}

func name(values ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: values}}}
}

func required(terms ...corev1.NodeSelectorTerm) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	}
}

func TestRequiredNodes(t *testing.T) {
	const no = "!node(s) didn't match Pod's node affinity/selector"
	a, b := opinions.Node("a", "disk=ssd,cores=8"), opinions.Node("b", "disk=hdd,cores=2")
	for name, test := range map[string]struct {
		pod  func(*corev1.Pod)
		want []string
	}{
		"selector":           {selector("disk", "ssd"), []string{"ok", no}},
		"selector, nowhere":  {selector("disk", "tape"), []string{no, no}},
		"in":                 {required(label("disk", corev1.NodeSelectorOpIn, "hdd", "tape")), []string{no, "ok"}},
		"not in":             {required(label("disk", corev1.NodeSelectorOpNotIn, "hdd")), []string{"ok", no}},
		"exists":             {required(label("gpu", corev1.NodeSelectorOpExists)), []string{no, no}},
		"greater":            {required(label("cores", corev1.NodeSelectorOpGt, "4")), []string{"ok", no}},
		"one of two terms":   {required(label("disk", corev1.NodeSelectorOpIn, "ssd"), label("disk", corev1.NodeSelectorOpIn, "hdd")), []string{"ok", "ok"}},
		"by name":            {required(name("b")), []string{"not in question", "ok"}},
		"by name or label":   {required(name("b"), label("disk", corev1.NodeSelectorOpIn, "ssd")), []string{"ok", "ok"}},
		"no terms":           {required(), []string{no, no}},
		"names that exclude": {required(corev1.NodeSelectorTerm{MatchFields: append(name("a").MatchFields, name("b").MatchFields...)}), []string{"all: !pod affinity terms conflict"}},
	} {
		t.Run(name, func(t *testing.T) {
			opinions.Expect(t, opinions.Filter(t, Plugin{}, opinions.Pod("p", test.pod), a, b), test.want...)
		})
	}
}

func TestPreferredNodes(t *testing.T) {
	pod := opinions.Pod("p", func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
			{Weight: 10, Preference: label("disk", corev1.NodeSelectorOpIn, "ssd")},
			{Weight: 30, Preference: label("zone", corev1.NodeSelectorOpIn, "z")},
		}}}
	})
	opinions.Expect(t, opinions.Score(t, Plugin{}, pod, opinions.Node("both", "disk=ssd,zone=z"), opinions.Node("one", "disk=ssd"), opinions.Node("none", "")), 100, 25, 0)
	opinions.Expect(t, opinions.Score(t, Plugin{}, opinions.Pod("p"), opinions.Node("a", "")))
}

func TestNodesThatComeToMatchHelp(t *testing.T) {
	pod := opinions.Pod("p", selector("disk", "ssd"))
	for labels, want := range map[string]bool{"disk=ssd": true, "disk=hdd": false} {
		event := framework.Event{Action: framework.NodeLabelsChanged, New: opinions.Object("n", labels)}
		if got := opinions.Helps(Plugin{}, pod, event); got != want {
			t.Errorf("%s helps: %v, want %v", labels, got, want)
		}
	}
}
