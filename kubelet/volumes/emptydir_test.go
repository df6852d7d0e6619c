package volumes

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

func TestAnEmptyDirsModeIsThePods(t *testing.T) {
	needRoot(t)
	w := newWorld(t, t.TempDir(), fake.NewClientset())
	pod := newPod("p", emptyDir("disk", corev1.EmptyDirVolumeSource{}), emptyDir("memory", corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}))
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To[int64](123)}
	if err := w.Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"disk": 0o777 | os.ModeSetgid, "memory": 0o777 | os.ModeSetgid | os.ModeSticky} {
		dir := w.Volumes.dir(pod.UID, "empty-dir", name)
		if got := modeOf(t, dir); got != want {
			t.Errorf("%s: made with %v, not %v", name, got, want)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 70, 70); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.again(t).Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"disk", "memory"} {
		dir := w.Volumes.dir(pod.UID, "empty-dir", name)
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); modeOf(t, dir) != 0o700 || st.Uid != 70 || st.Gid != 70 {
			t.Errorf("%s: after a restart %v of %d:%d", name, info.Mode(), st.Uid, st.Gid)
		}
	}
}

func TestMemoryVolumesAreNoLargerThanTheirPod(t *testing.T) {
	needRoot(t)
	w := newWorld(t, t.TempDir(), fake.NewClientset()) // the node gives 1 GiB to Pods
	limited := func(sizes ...string) (list []corev1.Container) {
		for _, s := range sizes {
			c := corev1.Container{}
			if s != "" {
				c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(s)}
			}
			list = append(list, c)
		}
		return list
	}
	tests := []struct {
		name       string
		containers []corev1.Container
		limit      string
		want       int64
	}{
		{"neither has a limit", limited(""), "", 1 << 30},
		{"the pod's", limited("32Mi", "32Mi"), "", 64 << 20},
		{"a container has none", limited("32Mi", ""), "", 1 << 30},
		{"larger than the pod's", limited("64Mi"), "1Gi", 64 << 20},
		{"smaller", limited("64Mi"), "16Mi", 16 << 20},
		{"larger than the node's", limited(""), "4Gi", 1 << 30},
	}
	for i, test := range tests {
		source := corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}
		if test.limit != "" {
			source.SizeLimit = ptr.To(resource.MustParse(test.limit))
		}
		pod := newPod("p", emptyDir("m"+string(rune('0'+i)), source))
		pod.Spec.Containers = test.containers
		if got := w.memoryFor(pod, &source); got != test.want {
			t.Errorf("%s: %d bytes, not %d", test.name, got, test.want)
		}
	}
	dir := filepath.Join(t.TempDir(), "m")
	if err := makeEmptyDir(dir, &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}, nil, 16<<20); err != nil {
		t.Fatal(err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || int64(st.Blocks)*st.Bsize != 16<<20 {
		t.Errorf("mounted are %d bytes, %v", int64(st.Blocks)*st.Bsize, err)
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Error(err)
	}
}

func TestANewSubPathIsAsItsVolume(t *testing.T) {
	needRoot(t)
	root := filepath.Join(t.TempDir(), "v")
	if err := os.Mkdir(root, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(root, 0, 123); err != nil {
		t.Fatal(err)
	}
	want := 0o777 | os.ModeSetgid | os.ModeSticky
	if err := os.Chmod(root, want); err != nil {
		t.Fatal(err)
	}
	made, err := makeBeneath(root, "a/sub")
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	info, err := made.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got := modeOf(t, filepath.Join(root, "a", "sub")); got != want || info.Sys().(*syscall.Stat_t).Gid != 123 {
		t.Errorf("made with %v of group %d", got, info.Sys().(*syscall.Stat_t).Gid)
	}
}
