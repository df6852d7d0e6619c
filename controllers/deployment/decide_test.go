package deployment

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}},
	}
}

type option func(*appsv1.Deployment)

func deployment(replicas int32, options ...option) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "d", Generation: 1, Annotations: map[string]string{"note": "x"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Template: template("new"), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Strategy:                appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType},
			ProgressDeadlineSeconds: ptr.To[int32](600), RevisionHistoryLimit: ptr.To[int32](10),
		},
	}
	rolling("25%", "25%")(d)
	for _, o := range options {
		o(d)
	}
	return d
}

func rolling(maxSurge, maxUnavailable string) option {
	return func(d *appsv1.Deployment) {
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{
			MaxSurge: ptr.To(intstr.Parse(maxSurge)), MaxUnavailable: ptr.To(intstr.Parse(maxUnavailable)),
		}
	}
}

func recreate(d *appsv1.Deployment) {
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
}
func paused(d *appsv1.Deployment) { d.Spec.Paused = true }

// set is a ReplicaSet of the image, the n-th that was made, of the given size, with so many Pods available. desired
// and limit are the notes of the Deployment's size and greatest size when it was last scaled.
func set(image string, n int, size, available, desired, limit int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + image, Namespace: "default", UID: types.UID(image), Generation: 1,
			CreationTimestamp: metav1.NewTime(start.Add(time.Duration(n) * time.Minute)),
			Annotations: map[string]string{
				"note": "x", revisionAnnotation: fmt.Sprint(n),
				desiredAnnotation: fmt.Sprint(desired), maxAnnotation: fmt.Sprint(limit),
			},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &size, Template: template(image)},
		Status: appsv1.ReplicaSetStatus{
			Replicas: size, ReadyReplicas: available, AvailableReplicas: available, ObservedGeneration: 1,
			TerminatingReplicas: ptr.To[int32](0),
		},
	}
}

// steps tells a plan in words.
func steps(p plan) string {
	var words []string
	if p.create != nil {
		words = append(words, fmt.Sprintf("create %d", size(p.create)))
	}
	for _, c := range p.changes {
		words = append(words, fmt.Sprintf("%s %d>%d", strings.TrimPrefix(c.set.Name, "web-"), c.from, size(c.set)))
	}
	for _, s := range p.remove {
		words = append(words, "remove "+strings.TrimPrefix(s.Name, "web-"))
	}
	return strings.Join(words, ", ")
}

func TestDecideNextStep(t *testing.T) {
	type sets = []*appsv1.ReplicaSet
	for name, test := range map[string]struct {
		d    *appsv1.Deployment
		sets sets
		want string
	}{
		"first of all":                    {deployment(3), nil, "create 3"},
		"new template, surge of one":      {deployment(4), sets{set("old", 1, 4, 4, 4, 5)}, "create 1, old 4>3"},
		"no surge, one unavailable":       {deployment(3, rolling("0", "1")), sets{set("old", 1, 3, 3, 3, 3)}, "create 0, old 3>2"},
		"surge only":                      {deployment(3, rolling("1", "0")), sets{set("old", 1, 3, 3, 3, 4)}, "create 1"},
		"both bounds zero by percentage":  {deployment(3, rolling("0", "10%")), sets{set("old", 1, 3, 3, 3, 3)}, "create 0, old 3>2"},
		"new grows when old have shrunk":  {deployment(4), sets{set("old", 1, 3, 3, 4, 5), set("new", 2, 1, 1, 4, 5)}, "new 1>2"},
		"waits for availability":          {deployment(4), sets{set("old", 1, 3, 3, 4, 5), set("new", 2, 2, 0, 4, 5)}, ""},
		"old shrink as new are available": {deployment(4), sets{set("old", 1, 3, 3, 4, 5), set("new", 2, 2, 2, 4, 5)}, "old 3>1"},
		"unavailable old go first":        {deployment(4), sets{set("a", 1, 2, 0, 4, 5), set("old", 2, 3, 3, 4, 5), set("new", 3, 0, 0, 4, 5)}, "a 2>0"},
		"finished":                        {deployment(3), sets{set("old", 1, 0, 0, 3, 4), set("new", 2, 3, 3, 3, 4)}, ""},
		"only one scales":                 {deployment(5), sets{set("old", 1, 0, 0, 3, 4), set("new", 2, 3, 3, 3, 4)}, "new 3>5"},
		"several scale in proportion":     {deployment(20), sets{set("old", 1, 5, 5, 10, 13), set("new", 2, 8, 8, 10, 13)}, "old 5>10, new 8>15"},
		"shrink in proportion":            {deployment(5), sets{set("old", 1, 5, 5, 10, 13), set("new", 2, 8, 8, 10, 13)}, "old 5>3, new 8>4"},
		"to zero":                         {deployment(0), sets{set("old", 1, 5, 5, 10, 13), set("new", 2, 8, 8, 10, 13)}, "old 5>0, new 8>0"},
		"paused does not roll":            {deployment(3, paused), sets{set("old", 1, 3, 3, 3, 4)}, ""},
		"paused scales":                   {deployment(4, paused), sets{set("old", 1, 3, 3, 3, 4)}, "old 3>4"},
		"recreate first empties":          {deployment(3, recreate), sets{set("old", 1, 3, 3, 3, 3)}, "old 3>0"},
		"recreate then fills":             {deployment(3, recreate), sets{set("old", 1, 0, 0, 3, 3)}, "create 3"},
		"back to an older template":       {deployment(4), sets{set("new", 1, 0, 0, 4, 5), set("old", 2, 4, 4, 4, 5)}, "new 0>1"},
	} {
		t.Run(name, func(t *testing.T) {
			before := set("copy", 1, 1, 1, 1, 1)
			if len(test.sets) > 0 {
				before = test.sets[0].DeepCopy()
			}
			p, err := decide(test.d, test.sets, start)
			if err != nil {
				t.Fatal(err)
			}
			if got := steps(p); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if len(test.sets) > 0 && (size(before) != size(test.sets[0]) || !maps.Equal(before.Annotations, test.sets[0].Annotations)) {
				t.Errorf("the observed ReplicaSet was written to")
			}
		})
	}
}

func TestDecideRecreateWaitsForPodsOnTheirWayOut(t *testing.T) {
	old := set("old", 1, 0, 0, 3, 3)
	old.Status.TerminatingReplicas = ptr.To[int32](1)
	p, err := decide(deployment(3, recreate), []*appsv1.ReplicaSet{old}, start)
	if err != nil || steps(p) != "" {
		t.Errorf("got %q, %v; want nothing while a Pod is terminating", steps(p), err)
	}
}

func TestDecideRecreateWaitsForTheOldSetToBeLookedAt(t *testing.T) {
	old := set("old", 1, 0, 0, 3, 3)
	old.Generation = 2 // emptied while its Pods were being made, of which its status does not tell yet
	p, err := decide(deployment(3, recreate), []*appsv1.ReplicaSet{old}, start)
	if err != nil || steps(p) != "" {
		t.Errorf("got %q, %v; want nothing while the old set may have Pods", steps(p), err)
	}
}

func TestDecideRemovesHistoryBeyondTheLimit(t *testing.T) {
	d := deployment(1, func(d *appsv1.Deployment) { d.Spec.RevisionHistoryLimit = ptr.To[int32](1) })
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
	busy := set("busy", 1, 0, 0, 1, 2)
	busy.Status.Replicas = 1
	p, err := decide(d, []*appsv1.ReplicaSet{busy, set("c", 4, 0, 0, 1, 2), set("b", 3, 0, 0, 1, 2), set("new", 5, 1, 1, 1, 2)}, start)
	if err != nil || steps(p) != "remove b" {
		t.Errorf("got %q, %v; want b removed, the latest and the busy one kept", steps(p), err)
	}
}

func TestRevisionsAndInheritedAnnotations(t *testing.T) {
	d := deployment(4)
	d.Annotations["note"] = "y"
	d.Annotations[corev1.LastAppliedConfigAnnotation] = "{}"
	p, err := decide(d, []*appsv1.ReplicaSet{set("new", 1, 0, 0, 4, 5), set("old", 2, 4, 4, 4, 5)}, start)
	if err != nil || len(p.changes) != 1 {
		t.Fatalf("got %q, %v", steps(p), err)
	}
	want := map[string]string{"note": "y", revisionAnnotation: "3", historyAnnotation: "1", desiredAnnotation: "4", maxAnnotation: "5"}
	if got := p.changes[0].set.Annotations; !maps.Equal(got, want) {
		t.Errorf("annotations %v, want %v", got, want)
	}
	if p.revision != "3" {
		t.Errorf("revision %q, want 3", p.revision)
	}
}

func TestHistoryDropsTheOldest(t *testing.T) {
	s := set("new", 1, 0, 0, 1, 1)
	s.Annotations[historyAnnotation] = strings.Repeat("12345678,", 221) + "12345678"
	appendHistory(s, "9")
	got := s.Annotations[historyAnnotation]
	if len(got) > maxHistory || !strings.HasSuffix(got, ",9") || !strings.HasPrefix(got, "12345678,") {
		t.Errorf("history of %d characters ends in %q", len(got), got[len(got)-12:])
	}
}

func TestSetNameIsCutToFit(t *testing.T) {
	if got := setName(strings.Repeat("d", 253), "5d4f8c7b9"); len(got) != 253 || !strings.HasSuffix(got, "d-5d4f8c7b9") {
		t.Errorf("got %d characters, %q", len(got), got[240:])
	}
}

func progressing(d *appsv1.Deployment, reason string, ago time.Duration) *appsv1.Deployment {
	d.Status.Conditions = []appsv1.DeploymentCondition{condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, reason, "", start.Add(-ago))}
	return d
}

func TestProgress(t *testing.T) {
	rollingOut := []*appsv1.ReplicaSet{set("old", 1, 3, 3, 4, 5), set("new", 2, 2, 0, 4, 5)}
	seenAll := func(d *appsv1.Deployment) *appsv1.Deployment {
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas, d.Status.AvailableReplicas = 5, 2, 3, 3
		return d
	}
	for name, test := range map[string]struct {
		d      *appsv1.Deployment
		sets   []*appsv1.ReplicaSet
		reason string
		again  time.Duration
	}{
		"new":              {deployment(4), nil, reasonCreated, 601 * time.Second},
		"adopted":          {seenAll(deployment(4)), rollingOut, reasonFound, 601 * time.Second},
		"first step":       {progressing(deployment(4), reasonCreated, time.Minute), rollingOut, reasonUpdated, 601 * time.Second},
		"nothing happens":  {seenAll(progressing(deployment(4), reasonUpdated, time.Minute)), rollingOut, reasonUpdated, 541 * time.Second},
		"nothing for long": {seenAll(progressing(deployment(4), reasonUpdated, time.Hour)), rollingOut, reasonTimedOut, 0},
		"done":             {progressing(deployment(4), reasonUpdated, time.Hour), []*appsv1.ReplicaSet{set("new", 2, 4, 4, 4, 5)}, reasonAvailable, 0},
		"paused":           {progressing(deployment(4, paused), reasonUpdated, time.Hour), rollingOut, reasonPaused, 0},
		"a Pod fails long after": {
			progressing(deployment(4), reasonAvailable, time.Hour), []*appsv1.ReplicaSet{set("new", 2, 4, 3, 4, 5)}, reasonAvailable, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := decide(test.d, test.sets, start)
			if err != nil {
				t.Fatal(err)
			}
			got := getCondition(&p.status, appsv1.DeploymentProgressing)
			if got == nil || got.Reason != test.reason || p.again != test.again {
				t.Errorf("got %v again in %s, want %s again in %s", got, p.again, test.reason, test.again)
			}
		})
	}
}

func TestStatusSumsUp(t *testing.T) {
	failing := set("new", 2, 2, 1, 4, 5)
	failing.Status.Conditions = []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate"}}
	p, err := decide(deployment(4), []*appsv1.ReplicaSet{set("old", 1, 3, 1, 4, 5), failing}, start)
	if err != nil {
		t.Fatal(err)
	}
	s := p.status
	got := fmt.Sprintln(s.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.AvailableReplicas, s.UnavailableReplicas, *s.TerminatingReplicas)
	if want := fmt.Sprintln(5, 2, 2, 2, 2, 0); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var kinds []string
	for _, c := range s.Conditions {
		kinds = append(kinds, string(c.Type)+"="+string(c.Status))
	}
	slices.Sort(kinds)
	if want := []string{"Available=False", "Progressing=True", "ReplicaFailure=True"}; !slices.Equal(kinds, want) {
		t.Errorf("conditions %v, want %v", kinds, want)
	}
}
