package runtime_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet/resources"
)

func TestPodsHaveCgroupsWithTheirLimits(t *testing.T) {
	nodens.Need(t)
	g := newGroups(t)
	if err := g.Ensure(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.RemoveAll(); err != nil {
			t.Error(err)
		}
	})
	if err := g.Limit(corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("2")}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", UID: "0-1"}}
	pod.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("64Mi")},
	}}}
	parent, err := g.Create(pod)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(nodens.CgroupRoot(), "kubepods/burstable/pod0-1"); parent != want {
		t.Errorf("parent %s, want %s", parent, want)
	}
	expect(t, parent, limits{memory: "67108864", quota: "100000", shares: "512", weight: "59"})
	expect(t, filepath.Dir(parent), limits{shares: "512", weight: "59"})
	expect(t, filepath.Dir(filepath.Dir(parent)), limits{memory: "1073741824", shares: "2048", weight: "174"})

	pod.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("128Mi")
	if _, err := g.Create(pod); err != nil {
		t.Fatal(err)
	}
	expect(t, parent, limits{memory: "134217728", quota: "100000"})

	another := newGroups(t)
	if found := another.List(); len(found) != 1 || found[0] != types.UID("0-1") {
		t.Errorf("another process finds %v", found)
	}
	if err := another.Ensure(); err != nil {
		t.Fatal(err)
	}
	expect(t, filepath.Dir(parent), limits{shares: "512", weight: "59"})
	gone := pod.DeepCopy() // without a cgroup
	gone.UID = "0-2"
	if err := another.Recall([]*corev1.Pod{pod, gone}); err != nil {
		t.Fatal(err)
	}
	expect(t, filepath.Dir(parent), limits{shares: "512", weight: "59"})
	second := pod.DeepCopy()
	second.UID = "0-3"
	if _, err := another.Create(second); err != nil {
		t.Fatal(err)
	}
	expect(t, filepath.Dir(parent), limits{shares: "1024", weight: "100"})
	if err := another.Remove(second.UID); err != nil {
		t.Fatal(err)
	}
	expect(t, filepath.Dir(parent), limits{shares: "512", weight: "59"})
	inside := await.Command(t, "sleep", "1000")
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	enter(t, parent, inside.Process.Pid)
	for range 2 {
		if err := g.Remove(pod.UID); err != nil {
			t.Fatal(err)
		}
	}
	if err := inside.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("what was in the cgroup ended with %v", err)
	}
	if len(glob(t, filepath.Join("/sys/fs/cgroup", "*", parent)))+len(glob(t, filepath.Join("/sys/fs/cgroup", parent))) > 0 {
		t.Error("the cgroup is left")
	}
	expect(t, filepath.Dir(parent), limits{shares: "2", weight: "1"})
}

func newGroups(t *testing.T) *resources.Cgroups {
	t.Helper()
	g, err := resources.New(resources.Config{Root: nodens.CgroupRoot()})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// limits are what the kernel's files say; "" is not looked at.
type limits struct{ memory, quota, shares, weight string }

// expect compares them with a cgroup's files, which differ between the versions.
func expect(t *testing.T, path string, want limits) {
	t.Helper()
	files := map[string]string{
		"memory/" + path + "/memory.limit_in_bytes": want.memory, "cpu/" + path + "/cpu.cfs_quota_us": want.quota, "cpu/" + path + "/cpu.shares": want.shares,
	}
	if unified() {
		files = map[string]string{path + "/memory.max": want.memory, path + "/cpu.max": want.quota, path + "/cpu.weight": want.weight}
	}
	for file, value := range files {
		if value == "" {
			continue
		}
		content, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", file))
		if got, _, _ := strings.Cut(strings.TrimSpace(string(content)), " "); err != nil || got != value {
			t.Errorf("%s says %q, %v, want %s", file, content, err, value)
		}
	}
}

func unified() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err == nil
}

func enter(t *testing.T, path string, pid int) {
	t.Helper()
	dirs := glob(t, filepath.Join("/sys/fs/cgroup", "*", path))
	if unified() {
		dirs = []string{filepath.Join("/sys/fs/cgroup", path)}
	}
	for _, dir := range dirs {
		if out, err := await.Command(t, "sh", "-c", "echo $0 > $1/cgroup.procs", strconv.Itoa(pid), dir).CombinedOutput(); err != nil {
			t.Fatalf("entering %s: %v: %s", dir, err, out)
		}
	}
}
