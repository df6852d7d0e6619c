package resourcequota

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/coracle-k8s/coracle/apis/core"
)

func list(pairs ...string) corev1.ResourceList {
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return l
}

func pod(cpu string, phase corev1.PodPhase) corev1.Pod {
	return corev1.Pod{
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: list("cpu", cpu)}}}},
		Status: corev1.PodStatus{Phase: phase},
	}
}

func TestDecide(t *testing.T) {
	deadline := pod("2", corev1.PodRunning)
	deadline.Spec.ActiveDeadlineSeconds = ptr.To[int64](1)
	for name, test := range map[string]struct {
		hard   corev1.ResourceList
		scopes []corev1.ResourceQuotaScope
		used   corev1.ResourceList
		c      contents
		want   corev1.ResourceList
	}{
		"nothing there": {hard: list("pods", "5", "requests.cpu", "4"), want: list("pods", "0", "requests.cpu", "0")},
		"running and finished Pods": {
			hard: list("pods", "5", "count/pods", "5", "requests.cpu", "4"),
			c:    contents{pods: []corev1.Pod{pod("1", corev1.PodRunning), pod("500m", corev1.PodPending), pod("3", corev1.PodSucceeded)}},
			want: list("pods", "2", "count/pods", "3", "requests.cpu", "1500m"),
		},
		"only what is in scope": {
			hard: list("pods", "5", "configmaps", "3"), scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating},
			c:    contents{pods: []corev1.Pod{deadline, pod("1", corev1.PodRunning)}, counts: map[corev1.ResourceName]int{"configmaps": 2}},
			want: list("pods", "1", "configmaps", "0"),
		},
		"counted objects": {
			hard: list("configmaps", "3", "count/deployments.apps", "3"),
			c:    contents{counts: map[corev1.ResourceName]int{"configmaps": 2, "count/deployments.apps": 1}},
			want: list("configmaps", "2", "count/deployments.apps", "1"),
		},
		"what cannot be counted stays": {hard: list("count/x.example.com", "3"), used: list("count/x.example.com", "2", "pods", "9"), want: list("count/x.example.com", "2")},
	} {
		t.Run(name, func(t *testing.T) {
			q := &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: test.hard, Scopes: test.scopes}, Status: corev1.ResourceQuotaStatus{Used: test.used}}
			status, err := decide(q, test.c, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if !quota.Equals(status.Used, test.want) || !quota.Equals(status.Hard, test.hard) {
				t.Errorf("used %v of %v, want %v", status.Used, status.Hard, test.want)
			}
		})
	}
}

func TestCounted(t *testing.T) {
	for name, want := range map[corev1.ResourceName]string{
		"pods": "", "count/pods": "", "requests.cpu": "", "services.nodeports": "",
		"configmaps": "configmaps", "count/secrets": "secrets", "count/deployments.apps": "deployments.apps",
	} {
		resource, ok := counted(name)
		if got := resource.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s counts %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestOverduePodIsNoticed(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stuck := pod("1", corev1.PodRunning)
	stuck.DeletionTimestamp, stuck.DeletionGracePeriodSeconds = &metav1.Time{Time: now.Add(10 * time.Second)}, ptr.To[int64](30)
	ended := *stuck.DeepCopy()
	ended.Status.Phase = corev1.PodFailed
	pods := []corev1.Pod{pod("1", corev1.PodRunning), ended, stuck}
	next := nextOverdue(pods, now)
	if !core.CountsInQuota(&stuck, now.Add(next-2*time.Millisecond)) || core.CountsInQuota(&stuck, now.Add(next)) {
		t.Errorf("looks again in %v, not when the pod stops counting", next)
	}
	if again := nextOverdue(pods, now.Add(next)); again != 0 {
		t.Errorf("looks once more in %v, want never", again)
	}
}

// One timer serves several charges: when it ends for the first, the last must still be waited for.
func TestLastChargeSettles(t *testing.T) {
	var c charges
	q, now := client.ObjectKey{Namespace: "ns", Name: "q"}, time.Now()
	c.note(q, now)
	c.note(q, now.Add(settle-time.Second))
	if left := c.settledIn(q, now.Add(settle)); left != settle-time.Second {
		t.Errorf("waits for %v, want %v", left, settle-time.Second)
	}
	if left := c.settledIn(q, now.Add(2*settle)); left != 0 {
		t.Errorf("waits for %v after all has settled", left)
	}
}

func TestScopeChangeWakes(t *testing.T) {
	r := &controller{now: time.Now}
	old, now := pod("1", corev1.PodRunning), pod("1", corev1.PodRunning)
	if !r.samePod(&old, &now) {
		t.Error("nothing changed, but it wakes")
	}
	now.Spec.ActiveDeadlineSeconds = ptr.To[int64](1)
	if r.samePod(&old, &now) {
		t.Error("a deadline moves the pod to another quota, and nothing wakes")
	}
	claim, silver := &corev1.PersistentVolumeClaim{}, &corev1.PersistentVolumeClaim{}
	silver.Status.CurrentVolumeAttributesClassName = ptr.To("silver")
	if sameClaim(claim, silver) {
		t.Error("a class moves the claim to another quota, and nothing wakes")
	}
}

// Admission writes to a quota all the time: the pause after losing to it must not double each time.
func TestConflictIsNoFailure(t *testing.T) {
	q := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "q", ResourceVersion: "1"},
		Spec:       corev1.ResourceQuotaSpec{Hard: list("pods", "1")},
	}
	c := fake.NewClientBuilder().WithObjects(q).WithStatusSubresource(q).Build()
	r := &controller{client: c, now: time.Now}
	q.ResourceVersion = "0"
	result, err := r.Reconcile(t.Context(), q)
	if err != nil || result.RequeueAfter != conflictPause {
		t.Errorf("got %v, %v; want to try again in %v", result, err, conflictPause)
	}
}
