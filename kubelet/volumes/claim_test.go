package volumes

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

// localVolume returns a local volume and the claim that it is bound to, both of that name.
func localVolume(name, path string, change func(*corev1.PersistentVolume)) (*corev1.PersistentVolume, *corev1.PersistentVolumeClaim) {
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: "claim"}}
	pvc.Spec.VolumeName, pvc.Status.Phase = name, corev1.ClaimBound
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
	pv.Spec.Local = &corev1.LocalVolumeSource{Path: path}
	pv.Spec.ClaimRef = &corev1.ObjectReference{UID: pvc.UID}
	if change != nil {
		change(pv)
	}
	return pv, pvc
}

func claimVolume(claim string, readOnly bool) corev1.Volume {
	return corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim, ReadOnly: readOnly},
	}}
}

func whole(*corev1.VolumeMount) (string, error) { return "", nil }

func TestClaimsAreReadOnlyWhereThePodSaysSo(t *testing.T) {
	pv, pvc := localVolume("data", t.TempDir(), nil)
	w := newWorld(t, t.TempDir(), fake.NewClientset(pv, pvc))
	c := &corev1.Container{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}}
	for uid, readOnly := range map[types.UID]bool{"reader": true, "writer": false} {
		pod := newPod(uid, claimVolume("data", readOnly))
		if err := w.Mount(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		mounts, err := w.Mounts(t.Context(), pod, c, whole)
		if err != nil || mounts[0].Readonly != readOnly {
			t.Errorf("%s: %v, %v", uid, mounts, err)
		}
		if err := w.Unmount(t.Context(), pod.UID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLocalVolumesBelongToThePodsGroupOnce(t *testing.T) {
	needRoot(t)
	disk := t.TempDir()
	file := filepath.Join(disk, "dir", "file")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(disk, "link")); err != nil {
		t.Fatal(err)
	}
	pv, pvc := localVolume("data", disk, func(pv *corev1.PersistentVolume) { pv.Annotations = map[string]string{groupAnnotation: "77"} })
	w := newWorld(t, t.TempDir(), fake.NewClientset(pv, pvc))
	pod := newPod("p", claimVolume("data", false))
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To[int64](123)}
	if err := w.Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	group := func(path string) uint32 {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Gid
	}
	for path, want := range map[string]os.FileMode{disk: 0o775 | os.ModeSetgid, filepath.Dir(file): 0o770 | os.ModeSetgid, file: 0o660} {
		if got := modeOf(t, path); got&want != want || group(path) != 123 {
			t.Errorf("%s has %v, group %d", path, got, group(path))
		}
	}
	if group(outside) == 123 || modeOf(t, outside) != 0o600 {
		t.Error("what a link leads to was changed")
	}
	if groups := w.SupplementalGroups(pod); len(groups) != 1 || groups[0] != 77 {
		t.Errorf("containers have groups %v", groups)
	}
	if err := os.Chmod(file, 0o600); err != nil { // as its owner wants it
		t.Fatal(err)
	}
	if err := w.again(t).Mount(t.Context(), pod); err != nil || modeOf(t, file) != 0o600 {
		t.Errorf("after a restart: %v, %v", modeOf(t, file), err)
	}
	other := newPod("other", claimVolume("data", false))
	other.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To[int64](123), FSGroupChangePolicy: ptr.To(corev1.FSGroupChangeOnRootMismatch)}
	if err := w.Unmount(t.Context(), pod.UID); err != nil {
		t.Fatal(err)
	}
	if err := w.Mount(t.Context(), other); err != nil || modeOf(t, file) != 0o600 {
		t.Errorf("where only the top is looked at: %v, %v", modeOf(t, file), err)
	}
}

func TestVolumesThatMustNotBeUsedHereAreRefused(t *testing.T) {
	dir := t.TempDir()
	away := func(pv *corev1.PersistentVolume) {
		pv.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: []string{"away"}}},
		}}}}
	}
	block := func(pv *corev1.PersistentVolume) { pv.Spec.VolumeMode = ptr.To(corev1.PersistentVolumeBlock) }
	single := func(pv *corev1.PersistentVolume) {
		pv.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}
	}
	mounts := corev1.Container{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}}
	devices := corev1.Container{Name: "c", VolumeDevices: []corev1.VolumeDevice{{Name: "v", DevicePath: "/dev/x"}}}
	tests := map[string]struct {
		change    func(*corev1.PersistentVolume)
		container corev1.Container
		want      string
	}{
		"another node's":           {away, mounts, "NodeAffinity check failed"},
		"a device that is mounted": {block, mounts, "has volumeMode Block, but is specified in volumeMounts"},
		"no device":                {nil, devices, "has volumeMode Filesystem, but is specified in volumeDevices"},
		"a directory as a device":  {block, devices, "is not a block device"},
		"another pod's alone":      {single, mounts, "already in use by another pod"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pv, pvc := localVolume("data", dir, test.change)
			w := newWorld(t, t.TempDir(), fake.NewClientset(pv, pvc))
			pod := newPod("p", claimVolume("data", false))
			pod.Spec.Containers = []corev1.Container{test.container}
			if name == "another pod's alone" {
				if err := w.Mount(t.Context(), newPod("first", claimVolume("data", false))); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Mount(t.Context(), pod); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDevicesOfClaims(t *testing.T) {
	var device string
	for _, path := range []string{"/dev/vda", "/dev/sda", "/dev/loop0", "/dev/ram0", "/dev/nvme0n1"} {
		if checkDevice(path) == nil {
			device = path
			break
		}
	}
	if device == "" {
		t.Skip("no block device")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(device, link); err != nil {
		t.Fatal(err)
	}
	pv, pvc := localVolume("data", link, func(pv *corev1.PersistentVolume) { pv.Spec.VolumeMode = ptr.To(corev1.PersistentVolumeBlock) })
	w := newWorld(t, t.TempDir(), fake.NewClientset(pv, pvc))
	pod := newPod("p", claimVolume("data", true))
	c := corev1.Container{Name: "c", VolumeDevices: []corev1.VolumeDevice{{Name: "v", DevicePath: "/dev/x"}}}
	pod.Spec.Containers = []corev1.Container{c}
	if _, err := w.Devices(pod, &c); err == nil {
		t.Error("a container without its device is started")
	}
	if err := w.Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	got, err := w.Devices(pod, &c)
	if err != nil || len(got) != 1 || got[0].HostPath != device || got[0].ContainerPath != "/dev/x" || got[0].Permissions != "r" {
		t.Errorf("got %v, %v", got, err)
	}
}
