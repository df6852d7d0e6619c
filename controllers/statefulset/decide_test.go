package statefulset

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/owned"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type option func(*appsv1.StatefulSet)

func set(replicas int32, options ...option) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db", UID: "s"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{},
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
		},
	}
	for _, o := range options {
		o(s)
	}
	return s
}

func parallel(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement }
func onDelete(s *appsv1.StatefulSet) {
	s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
}
func partition(n int32) option {
	return func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &n}
	}
}
func unavailable(n string) option {
	return func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{MaxUnavailable: ptr.To(intstr.Parse(n))}
	}
}
func start(n int32) option {
	return func(s *appsv1.StatefulSet) { s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: n} }
}

// pod is described in words: its number, "old" or "new", and "ready", "failed", "deleted".
func pod(words string) *corev1.Pod {
	fields := strings.Fields(words)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "db-" + fields[0], UID: types.UID(fields[0]), Labels: labelsFor(set(0), "db-"+fields[0])}}
	p.Labels[appsv1.ControllerRevisionHashLabelKey] = fields[1]
	p.Status.Phase = corev1.PodRunning
	for _, word := range fields[2:] {
		switch word {
		case "ready":
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now)}}
		case "failed":
			p.Status.Phase = corev1.PodFailed
		case "deleted":
			p.DeletionTimestamp = &metav1.Time{Time: now}
		}
	}
	return p
}

func pods(descriptions ...string) []*corev1.Pod {
	var all []*corev1.Pod
	for _, d := range descriptions {
		all = append(all, pod(d))
	}
	return all
}

func steps(p plan) string {
	var words []string
	for _, b := range p.create {
		words = append(words, fmt.Sprintf("create %d %s", b.ordinal, b.revision))
	}
	for _, pod := range p.remove {
		words = append(words, "remove "+strings.TrimPrefix(pod.Name, "db-"))
	}
	return strings.Join(words, ", ")
}

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		set  *appsv1.StatefulSet
		pods []*corev1.Pod
		want string
	}{
		"the first":                  {set(3), nil, "create 0 new"},
		"waits for the one before":   {set(3), pods("0 new"), ""},
		"the next":                   {set(3), pods("0 new ready"), "create 1 new"},
		"all at once":                {set(3, parallel), nil, "create 0 new, create 1 new, create 2 new"},
		"from another number on":     {set(2, start(5)), pods("5 new ready"), "create 6 new"},
		"a failed one goes":          {set(2), pods("0 new failed", "1 new ready"), "remove 0"},
		"the last goes first":        {set(1), pods("0 new ready", "1 new ready", "2 new ready"), "remove 2"},
		"one after another":          {set(1), pods("0 new ready", "1 new ready", "2 new ready deleted"), ""},
		"not while one is broken":    {set(1), pods("0 new ready", "1 new", "2 new"), ""},
		"the broken one may go":      {set(1), pods("0 new ready", "1 new ready", "2 new"), "remove 2"},
		"many go at once":            {set(1, parallel), pods("0 new ready", "1 new ready", "2 new"), "remove 2, remove 1"},
		"replaced from the end":      {set(3), pods("0 old ready", "1 old ready", "2 old ready"), "remove 2"},
		"when the next one works":    {set(3), pods("0 old ready", "1 old ready", "2 new ready"), "remove 1"},
		"not before":                 {set(3, parallel), pods("0 old ready", "1 old ready", "2 new"), ""},
		"not below the partition":    {set(3, partition(2)), pods("0 old ready", "1 old ready", "2 new ready"), ""},
		"made again as it was":       {set(3, partition(2)), pods("1 old ready", "2 new ready"), "create 0 old"},
		"whatever is broken below":   {set(3, parallel), pods("0 old", "1 old", "2 old"), "remove 2, remove 1, remove 0"},
		"two at once":                {set(4, unavailable("2")), pods("0 old ready", "1 old ready", "2 old ready", "3 old ready"), "remove 3, remove 2"},
		"as many as still may":       {set(4, parallel, unavailable("2")), pods("0 old ready", "1 old ready", "2 old ready", "3 new"), "remove 2"},
		"the broken ones first":      {set(4, parallel, unavailable("2")), pods("0 old ready", "1 old", "2 old ready", "3 old ready"), "remove 1, remove 3"},
		"broken beyond the number":   {set(3, parallel), pods("0 old", "1 old", "2 old ready"), "remove 1, remove 0"},
		"a share, rounded down":      {set(4, unavailable("70%")), pods("0 old ready", "1 old ready", "2 old ready", "3 old ready"), "remove 3, remove 2"},
		"a small share is one":       {set(2, unavailable("10%")), pods("0 old ready", "1 old ready"), "remove 1"},
		"a broken one in its turn":   {set(3, parallel), pods("0 old ready", "1 old", "2 new ready"), "remove 1"},
		"not while one is going":     {set(3, parallel), pods("0 old ready", "1 old ready", "2 old deleted"), ""},
		"only by hand":               {set(1, onDelete), pods("0 old ready"), ""},
		"one with a foreign name is": {set(0), []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "db-00"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := observation{set: test.set, pods: test.pods, current: "old", update: "new", now: now}
			p := decide(o)
			if o.inOrder() && len(p.create) > 1 {
				t.Errorf("creates %v at once", p.create)
			}
			if got := steps(p); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestStatusEndsTheRollout(t *testing.T) {
	o := observation{set: set(2), pods: pods("0 old ready", "1 new ready"), current: "old", update: "new", now: now}
	if s := o.status(nil); s.CurrentRevision != "old" || s.CurrentReplicas != 1 || s.UpdatedReplicas != 1 || s.AvailableReplicas != 2 {
		t.Errorf("halfway: %+v", s)
	}
	o.pods = pods("0 new ready", "1 new ready")
	if s := o.status(nil); s.CurrentRevision != "new" || s.CurrentReplicas != 2 {
		t.Errorf("at the end: %+v", s)
	}
}

func TestRetention(t *testing.T) {
	s, p := set(1), pod("1 new")
	owners := func(deleted, scaled appsv1.PersistentVolumeClaimRetentionPolicyType, condemned bool) string {
		s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenDeleted: deleted, WhenScaled: scaled}
		var names []string
		for _, ref := range retention(s, p, condemned, []metav1.OwnerReference{{UID: "other", Kind: "Other"}}) {
			names = append(names, ref.Kind)
		}
		return strings.Join(names, " ")
	}
	const keep, drop = appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	for _, test := range []struct {
		got, want string
	}{
		{owners(keep, keep, true), "Other"},
		{owners(drop, keep, true), "Other StatefulSet"},
		{owners(keep, drop, false), "Other"},
		{owners(keep, drop, true), "Other Pod"},
		{owners(drop, drop, false), "Other StatefulSet"},
		{owners(drop, drop, true), "Other Pod"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestRetentionLeavesForeignOwnersAlone(t *testing.T) {
	s, p := set(1), pod("1 new")
	s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
		WhenDeleted: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
	}
	former := metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: "former", Controller: ptr.To(true)}
	other := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x", Controller: ptr.To(true)}
	plain := metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID}
	for name, test := range map[string]struct{ refs, want []metav1.OwnerReference }{
		"of the pod before":   {[]metav1.OwnerReference{former}, []metav1.OwnerReference{former}},
		"another controller":  {[]metav1.OwnerReference{other}, []metav1.OwnerReference{other}},
		"and not both":        {[]metav1.OwnerReference{plain, other}, []metav1.OwnerReference{other}},
		"the pod controls it": {[]metav1.OwnerReference{plain}, []metav1.OwnerReference{owned.Reference(p, podKind)}},
	} {
		if got := retention(s, p, true, test.refs); !apiequality.Semantic.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestPodHasNameHostAndClaims(t *testing.T) {
	s := set(1)
	s.Spec.ServiceName = "db"
	s.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
	s.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data"}, {Name: "tmp"}}
	p := podFor(s, &s.Spec.Template, "rev", 3)
	got := fmt.Sprintln(p.Name, p.Spec.Hostname, p.Spec.Subdomain, p.Spec.Volumes[0].PersistentVolumeClaim.ClaimName, p.Spec.Volumes[1].Name, len(p.Spec.Volumes), p.Labels["apps.kubernetes.io/pod-index"])
	if want := fmt.Sprintln("db-3", "db-3", "db", "data-db-3", "tmp", 2, "3"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAdoptedPodsAreLabelled(t *testing.T) {
	o := observation{set: set(3), pods: pods("0 old ready", "1 old ready", "2 old ready"), current: "old", update: "old", now: now}
	delete(o.pods[1].Labels, appsv1.StatefulSetPodNameLabel)
	o.pods[2].Labels[appsv1.PodIndexLabel] = "7"
	p := decide(o)
	if len(p.label) != 2 || p.label[0] != o.pods[1] || p.label[1] != o.pods[2] {
		t.Errorf("labels %v, want the second and the third", p.label)
	}
}
