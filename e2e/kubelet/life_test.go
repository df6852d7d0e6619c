package kubelet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestAPodRunsAndIsDeleted(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		began := time.Now()
		p := w.create(pod("a", "echo hello; trap 'exit 0' TERM; while :; do sleep 0.1; done"))
		w.until("a", "ran", running)
		t.Logf("running after %s", time.Since(began).Round(time.Millisecond))
		await.Until(t, "it wrote", func() bool { return w.logs(p, "main", 0) == "hello\n" })
		began = time.Now()
		if err := w.client.CoreV1().Pods("default").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.until("a", "went", gone)
		t.Logf("gone after %s", time.Since(began).Round(time.Millisecond))
	}
	w.tell("a")
}

func TestARestartOfTheKubeletChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.configMap("kept", map[string]string{"key": "old"})
	shown := corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "kept"}}}
	w.create(pod("stays", "until grep -q new /c/key; do sleep 0.1; done; echo seen; "+forever, withVolume(emptyDir, "/d"), withVolume(shown, "/c"), func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
	}))
	w.create(pod("ends", "exit 0", never))
	w.create(pod("goes", forever))
	before := w.until("stays", "was ready", ready)
	ended := w.until("ends", "ended", finished)
	lost := w.until("goes", "ran", running)
	w.stop()
	all := filepath.Join(nodens.CgroupRoot(), "kubepods")
	orphan := filepath.Join(all, "besteffort/podnobody")
	for _, h := range hierarchies(t, filepath.Dir(orphan)) {
		if err := os.MkdirAll(filepath.Join(h, orphan), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.client.CoreV1().Pods("default").Delete(t.Context(), "goes", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil {
		t.Fatal(err)
	}
	watch, err := w.client.CoreV1().Pods("default").Watch(t.Context(), metav1.ListOptions{ResourceVersion: before.ResourceVersion, FieldSelector: "metadata.name=stays"})
	if err != nil {
		t.Fatal(err)
	}
	w.startKubelet()
	w.create(pod("new", "exit 0", never))
	w.until("new", "ended", finished)
	watch.Stop()
	for e := range watch.ResultChan() {
		if p, ok := e.Object.(*corev1.Pod); ok && !ready(p) {
			t.Errorf("the pod was not ready meanwhile: %+v", p.Status.Conditions)
		}
	}
	after := w.get("stays")
	if after.Status.ContainerStatuses[0].ContainerID != before.Status.ContainerStatuses[0].ContainerID || after.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the container was touched: %+v", after.Status.ContainerStatuses[0])
	}
	if p := w.get("ends"); p.Status.Phase != ended.Status.Phase || p.Status.ContainerStatuses[0].ContainerID != ended.Status.ContainerStatuses[0].ContainerID {
		t.Errorf("the ended pod was touched: %+v", p.Status)
	}
	await.Until(t, "what the API does not know is removed", func() bool { return missing("/var/lib/kubelet/pods/" + string(lost.UID)) })
	await.Until(t, "cgroups that no Pod has are removed", func() bool { return len(hierarchies(t, orphan)) == 0 })
	await.Until(t, "all Pods together weigh what the node offers", func() bool {
		for _, h := range hierarchies(t, all) {
			for file, want := range map[string]string{"cpu.shares": "4096", "cpu.weight": "303"} {
				if content, err := os.ReadFile(filepath.Join(h, all, file)); err == nil && strings.TrimSpace(string(content)) == want {
					return true
				}
			}
		}
		return false
	})
	patch := []byte(`{"data":{"key":"new"}}`)
	if _, err := w.client.CoreV1().ConfigMaps("default").Patch(t.Context(), "kept", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.wrote(after, "main", "seen\n")
	w.delete("stays")
	w.until("stays", "went", gone)
}

// hierarchies are those that have a cgroup: one of version 2, several of version 1.
func hierarchies(t *testing.T, cgroup string) (dirs []string) {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		all, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range all {
			if !missing(filepath.Join(h, cgroup)) {
				dirs = append(dirs, h)
			}
		}
	}
	return dirs
}

func TestResourcesChangeInPlace(t *testing.T) {
	w := newWorld(t)
	limits := func(cpu, memory string) corev1.ResourceRequirements {
		list := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
		return corev1.ResourceRequirements{Requests: list, Limits: list}
	}
	w.create(pod("resized", forever, func(p *corev1.Pod) { p.Spec.Containers[0].Resources = limits("100m", "64Mi") }))
	p := w.until("resized", "ran", running)
	id := p.Status.ContainerStatuses[0].ContainerID
	p.Spec.Containers[0].Resources = limits("200m", "128Mi")
	if _, err := w.client.CoreV1().Pods("default").UpdateResize(t.Context(), "resized", p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	p = w.until("resized", "had more", func(p *corev1.Pod) bool {
		s := p.Status.ContainerStatuses[0]
		return s.Resources != nil && s.Resources.Limits.Cpu().MilliValue() == 200 && s.AllocatedResources.Memory().Value() == 128<<20
	})
	if s := p.Status.ContainerStatuses[0]; s.ContainerID != id || s.RestartCount != 0 {
		t.Errorf("the container was restarted: %+v", s)
	}
	w.create(pod("big", forever, func(p *corev1.Pod) { p.Spec.Containers[0].Resources = limits("3", "64Mi") }))
	w.until("big", "ran", running)
	p.Spec.Containers[0].Resources = limits("2", "128Mi")
	if _, err := w.client.CoreV1().Pods("default").UpdateResize(t.Context(), "resized", p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.until("resized", "waited", func(p *corev1.Pod) bool {
		c := core.PodCondition(p, corev1.PodResizePending)
		return c != nil && c.Reason == corev1.PodReasonDeferred
	})
	w.delete("big")
	w.until("resized", "had the room", func(p *corev1.Pod) bool {
		return p.Status.ContainerStatuses[0].Resources.Limits.Cpu().Value() == 2 && core.PodCondition(p, corev1.PodResizePending) == nil
	})
}
