package apps

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestTemplatesOfDaemonSetsAreCounted(t *testing.T) {
	set := func(count, image string) *appsv1.DaemonSet {
		ds := &appsv1.DaemonSet{}
		if count != "" {
			ds.Annotations = map[string]string{appsv1.DeprecatedTemplateGeneration: count}
		}
		ds.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}}
		return ds
	}
	for _, c := range []struct {
		name    string
		ds, old *appsv1.DaemonSet
		want    string
	}{
		{"new", set("", "a"), nil, "1"},
		{"imported", set("7", "a"), nil, "7"},
		{"nonsense", set("x", "a"), nil, "1"},
		{"unchanged, count left out", set("", "a"), set("7", "a"), "7"},
		{"unchanged, another count", set("9", "a"), set("7", "a"), "7"},
		{"changed", set("", "b"), set("7", "a"), "8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			CountTemplates(c.ds, c.old)
			if got := c.ds.Annotations[appsv1.DeprecatedTemplateGeneration]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
