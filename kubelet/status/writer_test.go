package status

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/component-base/metrics/testutil"

	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

func written(t *testing.T, client *fake.Clientset) corev1.PodStatus {
	t.Helper()
	p, err := client.CoreV1().Pods("ns").Get(t.Context(), "p", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Status
}

func TestWriterWritesOnlyDifferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u", ResourceVersion: "1"}}
		pod.Status.Conditions = []corev1.PodCondition{{Type: "others", Status: corev1.ConditionTrue}}
		client := fake.NewClientset(pod)
		var patches atomic.Int32
		client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			if patches.Add(1) == 1 {
				return true, nil, apierrors.NewInternalError(context.DeadlineExceeded)
			}
			return false, nil, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		w := NewWriter(client)
		go w.Run(ctx)
		synctest.Wait()
		want := corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
		w.Set(pod, want)
		if err := w.Wait(ctx, "u"); err != nil {
			t.Fatal(err)
		}
		got := written(t, client)
		if got.Phase != corev1.PodRunning || len(got.Conditions) != 2 {
			t.Errorf("got %+v", got)
		}
		if n := patches.Load(); n != 2 {
			t.Errorf("%d requests for one status that failed once", n)
		}
		if w.Latest(pod).Phase != corev1.PodRunning {
			t.Error("the latest status is not the one set")
		}
		w.Forget("u")
		cancel()
		synctest.Wait()
	})
}

func TestWriterOutlivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u", ResourceVersion: "1"}}
		client := fake.NewClientset(pod)
		var patches atomic.Int32
		client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			if patches.Add(1) == 1 {
				panic("once")
			}
			return false, nil, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		w := NewWriter(client)
		go w.Run(ctx)
		synctest.Wait()
		w.Set(pod, corev1.PodStatus{Phase: corev1.PodRunning})
		if err := w.Wait(ctx, "u"); err != nil {
			t.Fatal(err)
		}
		if got := written(t, client); got.Phase != corev1.PodRunning {
			t.Errorf("after a panic the status is %+v", got)
		}
		cancel()
		synctest.Wait()
	})
}

func TestTerminationsAreCountedOnce(t *testing.T) {
	w := NewWriter(fake.NewClientset())
	ended := func(code int32) corev1.PodStatus {
		return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error"},
		}}}}
	}
	running := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}
	w.Metrics = metrics.New("n")
	p := &corev1.Pod{}
	p.UID = "u"
	for _, s := range []corev1.PodStatus{running, ended(139), ended(139), running, ended(139)} {
		w.Set(p, s)
	}
	// A restarted kubelet counts what it reported before no second time.
	reported := p.DeepCopy()
	reported.UID, reported.Status = "v", ended(139)
	w.Set(reported, ended(139))
	const want = `# HELP kubelet_terminated_containers_total [ALPHA] Containers that ended, by type, exit code and reason.
# TYPE kubelet_terminated_containers_total counter
kubelet_terminated_containers_total{container_type="container",exit_code="139",reason="Error"} 2
`
	if err := testutil.GatherAndCompare(w.Metrics.Gatherer(), strings.NewReader(want), "kubelet_terminated_containers_total"); err != nil {
		t.Error(err)
	}
}
