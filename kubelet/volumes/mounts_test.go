package volumes

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/downward"
)

func TestUnmountSparesTheHostsFilesBehindALink(t *testing.T) {
	needRoot(t)
	host, disk, link := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "kubelet")
	precious := filepath.Join(host, "s", "precious")
	if err := os.Mkdir(filepath.Join(host, "s"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(disk, link); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	pod.UID, pod.Spec.Volumes = "uid", []corev1.Volume{
		{Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: host}}},
		{Name: "m", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
	}
	c := &corev1.Container{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "h", MountPath: "/s", SubPath: "s"}}}
	v := New(t.Context(), Config{PodsDir: link, Node: func() downward.Node { return downward.Node{} }})
	if err := v.Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	mounts, err := v.Mounts(t.Context(), pod, c, func(m *corev1.VolumeMount) (string, error) { return m.SubPath, nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(mounts[0].HostPath, "precious")); err != nil {
		t.Fatalf("the part is not mounted: %v", err)
	}
	if err := v.Unmount(t.Context(), pod.UID); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("the host's file: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(disk, "uid", "*")); err != nil || len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}
