package podset

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// The hash decides a ReplicaSet's name and its Pods' labels: were it another, a cluster moved here would replace all
// its ReplicaSets. The values are upstream's for the API types of 1.37: they change with each field added, and Deployments find their
// ReplicaSets by the template all the same.
func TestTemplateHash(t *testing.T) {
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx:1.27"}}},
	}
	if got := TemplateHash(template.DeepCopy(), nil); got != "74f8f75d46" {
		t.Errorf("hash %q, want 74f8f75d46", got)
	}
	if got := TemplateHash(&template, ptr.To[int32](1)); got != "98d446679" {
		t.Errorf("hash after a collision %q, want 98d446679", got)
	}
}

func TestPodsAreMarkedByTheirUID(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-0", UID: "old"}}
	var patch []byte
	c := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		SubResourcePatch: func(_ context.Context, _ client.Client, _ string, obj client.Object, p client.Patch, _ ...client.SubResourcePatchOption) (err error) {
			patch, err = p.Data(obj)
			return err
		},
	})
	if _, err := (Control{Client: c}).Fail(t.Context(), pod, "", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	if want := `{"metadata":{"uid":"old"},"status":{"phase":"Failed"}}`; string(patch) != want {
		t.Errorf("the patch is %s, want %s", patch, want)
	}
}

func TestInBatchesStopsAfterTheFirstFailingBatch(t *testing.T) {
	var calls atomic.Int32
	done, err := InBatches(100, func() error {
		if calls.Add(1) > 5 {
			return errors.New("refused")
		}
		return nil
	})
	// Batches of 1, 2 and 4: the fifth to seventh call are in the third.
	if err == nil || done != 5 || calls.Load() != 7 {
		t.Errorf("%d done in %d calls, %v; want 5 in 7", done, calls.Load(), err)
	}
}

func TestAPanicIsAnErrorOfItsPieceAlone(t *testing.T) {
	done := make([]bool, 3)
	failures := Together(3, func(i int) error {
		if i == 1 {
			panic("in the middle")
		}
		done[i] = true
		return nil
	})
	if len(failures) != 1 || !done[0] || !done[2] {
		t.Errorf("failures %v, done %v", failures, done)
	}
}
