package kubelet_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func volumeContents(t *testing.T, w *world) {
	w.configMap("vol", map[string]string{"key": "value", "other": "no"})
	p := w.create(pod("vol", "cat /c/sub/k /d/labels; echo; cat /p/ns; echo; stat -c %a /c/sub/k /p/token; stat -Lc %a /c/sub/k; wc -c < /var/run/secrets/kubernetes.io/serviceaccount/token | grep -c ...; touch /c/x || echo ro", never,
		func(p *corev1.Pod) { p.Labels = map[string]string{"l": "1"} },
		withVolume(corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "vol"}, Items: []corev1.KeyToPath{{Key: "key", Path: "sub/k", Mode: ptr.To[int32](0o400)}},
		}}, "/c"),
		withVolume(corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{
			{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}},
		}}}, "/d"),
		withVolume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr.To[int64](3600)}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "ns", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}}},
		}}}, "/p")))
	w.until("vol", "ended", finished)
	for _, want := range []string{"value", "l=\"1\"\n", "default\n", "\n400\n", "ro\n"} {
		w.wroteLike(p, "main", want, strings.Contains)
	}
}

func liveVolumes(t *testing.T, w *world) {
	w.configMap("live", map[string]string{"key": "old"})
	p := w.create(pod("live", "until grep -q new /c/key; do sleep 0.05; done; until grep -q v2 /d/a; do sleep 0.05; done; echo seen", never,
		func(p *corev1.Pod) { p.Annotations = map[string]string{"a": "v1"} },
		withVolume(corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "live"}}}, "/c"),
		withVolume(corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{
			{Path: "a", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['a']"}},
		}}}, "/d")))
	w.until("live", "ran", running)
	began := time.Now()
	patch := []byte(`{"data":{"key":"new"}}`)
	if _, err := w.client.CoreV1().ConfigMaps("default").Patch(t.Context(), "live", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	patch = []byte(`{"metadata":{"annotations":{"a":"v2"}}}`)
	if _, err := w.client.CoreV1().Pods("default").Patch(t.Context(), "live", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.until("live", "ended", finished)
	t.Logf("seen after %s", time.Since(began).Round(time.Millisecond))
	w.wrote(p, "main", "seen\n")
}

func emptyDirs(t *testing.T, w *world) {
	memory := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: ptr.To(resource.MustParse("1Mi"))}}
	p := w.create(pod("empty", "stat -c '%a %g' /d; stat -fc %T /m; id -G", never, withVolume(emptyDir, "/d"), withVolume(memory, "/m"), func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To[int64](123), RunAsUser: ptr.To[int64](1000)}
	}))
	w.until("empty", "ended", finished)
	w.wrote(p, "main", "2777 123\ntmpfs\n0 123\n")
}

func subPaths(t *testing.T, w *world) {
	w.configMap("sub", map[string]string{"key": "value"})
	dir := t.TempDir()
	p := w.create(pod("sub", "cat /etc/one; echo; echo mine > /data/file", never, func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{
			{Name: "c", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "sub"}}}},
			{Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir}}},
		}
		c := &p.Spec.Containers[0]
		c.Env = []corev1.EnvVar{{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}
		c.VolumeMounts = []corev1.VolumeMount{
			{Name: "c", MountPath: "/etc/one", SubPath: "key"}, {Name: "h", MountPath: "/data", SubPathExpr: "x/$(POD)"},
		}
	}))
	w.until("sub", "ended", finished)
	w.wrote(p, "main", "value\n")
	if got := read(t, dir+"/x/sub/file"); got != "mine\n" {
		t.Errorf("got %q", got)
	}
}

func unknownVolume(t *testing.T, w *world) {
	w.create(pod("csi", forever, withVolume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "no.such.driver"}}, "/d")))
	time.Sleep(time.Second)
	if p := w.get("csi"); p.Status.Phase != corev1.PodPending {
		t.Errorf("got %s", p.Status.Phase)
	}
	w.delete("csi")
	w.until("csi", "went", gone)
}

func diskLimits(t *testing.T, w *world) {
	limited := func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse("2Mi")}
	}
	bounded := withVolume(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("2Mi"))}}, "/v")
	const whole = "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "
	tests := map[string]struct {
		change func(*corev1.Pod)
		fill   string
		want   string
	}{
		"layer":  {limited, "head -c 4000000 /dev/urandom > /tmp-file", whole},
		"log":    {limited, "head -c 100000 /dev/zero | tr '\\0' '\\n'", whole}, // a line of the log is more than its character
		"volume": {bounded, "head -c 4000000 /dev/urandom > /v/file", `Usage of EmptyDir volume "v0" exceeds the limit "2Mi". `},
	}
	w.create(pod("fits", "head -c 1000000 /dev/zero > /tmp-file; "+forever, limited))
	w.until("fits", "ran", running)
	for name, test := range tests {
		w.create(pod("outgrown-"+name, test.fill+"; "+forever, test.change))
	}
	for name, test := range tests {
		p := w.until("outgrown-"+name, "was evicted", finished)
		if p.Status.Phase != corev1.PodFailed || p.Status.Reason != "Evicted" || p.Status.Message != test.want {
			t.Errorf("%s: %s, %s: %s", name, p.Status.Phase, p.Status.Reason, p.Status.Message)
		}
	}
	if p := w.get("fits"); !running(p) {
		t.Errorf("what fits is %s: %s", p.Status.Phase, p.Status.Message)
	}
}
