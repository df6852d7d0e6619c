package pods

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

func TestTimeToStart(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fresh := func() *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(created)}}
		p.Spec.Containers, p.Status.Phase = []corev1.Container{{Name: "c"}}, corev1.PodPending
		return p
	}
	runs := func(p *corev1.Pod) *corev1.Pod {
		p = p.DeepCopy()
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		return p
	}
	old := fresh()
	old.Status.StartTime = &metav1.Time{Time: created}
	stateful := fresh()
	stateful.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}}}
	initialized := fresh()
	initialized.Status.InitContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		StartedAt: metav1.NewTime(created), FinishedAt: metav1.NewTime(created.Add(4 * time.Second)),
	}}}}
	for name, tt := range map[string]struct {
		pod        *corev1.Pod
		images     time.Duration
		unreported bool
		total, sli string
	}{
		"a new Pod":                          {pod: fresh(), total: "10", sli: "10"},
		"without the time of images":         {pod: fresh(), images: 3 * time.Second, total: "10", sli: "7"},
		"without the time of initialization": {pod: initialized, total: "10", sli: "6"},
		"with state":                         {pod: stateful, total: "10"},
		"of an earlier process":              {pod: old},
		"told by nobody here":                {pod: fresh(), unreported: true},
	} {
		m := metrics.New("n")
		w := &worker{Manager: &Manager{Config: Config{Metrics: m}}, pod: tt.pod, startup: newStartup(tt.pod, created)}
		w.waitedForImage(tt.images)
		if !tt.unreported {
			w.hasReported(corev1.PodPending, corev1.PodRunning)
			w.hasReported(corev1.PodPending, corev1.PodRunning)
		}
		for range 2 {
			w.hasHeard(runs(tt.pod), created.Add(10*time.Second))
		}
		for metric, want := range map[string]string{"kubelet_pod_start_total_duration_seconds": tt.total, "kubelet_pod_start_sli_duration_seconds": tt.sli} {
			if got := sums(t, m, metric); got != want {
				t.Errorf("%s: %s is %q, want %q", name, metric, got, want)
			}
		}
		if counted := sums(t, m, "kubelet_pod_start_duration_seconds") != ""; counted == tt.unreported {
			t.Errorf("%s: counted once as running: %t", name, counted)
		}
	}
}

// sums is the sum of a histogram of which something was counted once, "" where nothing was.
func sums(t *testing.T, m *metrics.Metrics, name string) string {
	t.Helper()
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name && len(f.Metric) == 1 && f.Metric[0].GetHistogram().GetSampleCount() == 1 {
			return strings.TrimSuffix(time.Duration(f.Metric[0].GetHistogram().GetSampleSum()*float64(time.Second)).String(), "s")
		}
	}
	return ""
}

func TestWhatContainersAreCountedAs(t *testing.T) {
	p := &corev1.Pod{}
	p.Spec.InitContainers, p.Spec.Containers = []corev1.Container{{Name: "i"}}, []corev1.Container{{Name: "c"}}
	p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e"}}}
	for name, want := range map[string]string{"i": metrics.InitContainer, "c": metrics.Container, "e": metrics.EphemeralContainer} {
		if got := kindOfContainer(p, name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, tt := range []struct {
		err  error
		want string
	}{{nil, ""}, {reasoned("ErrImagePull", errors.New("no")), "ErrImagePull"}, {errors.New("no"), "Other"}} {
		if got := reasonOf(tt.err); got != tt.want {
			t.Errorf("%v: %s", tt.err, got)
		}
	}
}
