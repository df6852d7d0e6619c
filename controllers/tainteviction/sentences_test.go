package tainteviction

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestSentenceStandsUntilItIsLifted(t *testing.T) {
	named := func(uid string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: types.UID(uid)}}
	}
	pod, start := named("1"), time.Unix(1e9, 0)
	var s sentences
	for _, step := range []struct {
		what     string
		lift     bool
		pod      *corev1.Pod
		after    time.Duration
		patience time.Duration
		due      time.Duration
	}{
		{what: "first", pod: pod, patience: 300 * time.Second, due: 300 * time.Second},
		{what: "seen again", pod: pod, after: 100 * time.Second, patience: 300 * time.Second, due: 300 * time.Second},
		{what: "with less patience", pod: pod, after: 110 * time.Second, patience: 30 * time.Second, due: 300 * time.Second},
		{what: "with more patience", pod: pod, after: 120 * time.Second, patience: 900 * time.Second, due: 300 * time.Second},
		{what: "after it was lifted", lift: true, pod: pod, after: 130 * time.Second, patience: 30 * time.Second, due: 160 * time.Second},
		{what: "another Pod of the name", pod: named("2"), after: 140 * time.Second, patience: 30 * time.Second, due: 170 * time.Second},
	} {
		if step.lift && !s.lift(client.ObjectKeyFromObject(step.pod)) {
			t.Errorf("%s: there was no sentence", step.what)
		}
		if due := s.pass(step.pod, step.patience, start.Add(step.after)).Sub(start); due != step.due {
			t.Errorf("%s: to be deleted after %s, want %s", step.what, due, step.due)
		}
	}
	if !s.lift(client.ObjectKeyFromObject(pod)) || s.lift(client.ObjectKeyFromObject(pod)) {
		t.Error("a sentence is lifted once")
	}
}
