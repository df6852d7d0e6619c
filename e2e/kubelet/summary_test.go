package kubelet_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

// summary is what the kubelet answers about the use of the node.
func (w *world) summary(query string) *statsapi.Summary {
	w.t.Helper()
	request := w.client.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/" + nodeName + "/proxy/stats/summary")
	if query != "" {
		request = request.Param(query, "true")
	}
	data, err := request.DoRaw(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	out := &statsapi.Summary{}
	if err := json.Unmarshal(data, out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// localClaim is a claim that is bound to a local PersistentVolume of the node.
func (w *world) localClaim(name string) corev1.VolumeSource {
	w.t.Helper()
	core, ctx := w.client.CoreV1(), w.t.Context()
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim, err := core.PersistentVolumeClaims("default").Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: modes, VolumeName: name, Resources: corev1.VolumeResourceRequirements{Requests: size}},
	}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	here := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeName}}
	if _, err := core.PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: modes, Capacity: size, StorageClassName: ptr.Deref(claim.Spec.StorageClassName, ""),
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: w.t.TempDir()}},
			ClaimRef:               &corev1.ObjectReference{Namespace: "default", Name: name, UID: claim.UID},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
				{MatchExpressions: []corev1.NodeSelectorRequirement{here}},
			}}},
		},
	}, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, AccessModes: modes, Capacity: size}
	if _, err := core.PersistentVolumeClaims("default").UpdateStatus(ctx, claim, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
}

func podIn(s *statsapi.Summary, name string) *statsapi.PodStats {
	i := slices.IndexFunc(s.Pods, func(p statsapi.PodStats) bool { return p.PodRef.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Pods[i]
}

// holds says whether something holds from one megabyte to two, on a file system that is known.
func holds(f *statsapi.FsStats) bool {
	return f != nil && f.UsedBytes != nil && *f.UsedBytes >= 1<<20 && *f.UsedBytes < 2<<20 && whole(f)
}

// whole says whether all figures of a file system are there, and make sense.
func whole(f *statsapi.FsStats) bool {
	return f != nil && !f.Time.IsZero() && f.InodesUsed != nil && f.Inodes != nil && f.InodesFree != nil &&
		f.UsedBytes != nil && f.CapacityBytes != nil && f.AvailableBytes != nil && *f.CapacityBytes > *f.AvailableBytes
}

func TestSummaryShowsWhatPodsHoldOnDisk(t *testing.T) {
	w := newWorld(t)
	memory := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: ptr.To(resource.MustParse("4Mi"))}}
	p := w.create(pod("writer", `
		head -c 1048576 /bin/busybox > /tmp/file
		head -c 1048576 /bin/busybox > /d/file
		head -c 1048576 /bin/busybox > /m/file
		line=0123456789012345678901234567890123456789012345678901234567890123
		line=$line$line$line$line; line=$line$line$line$line
		i=0; while [ $i -lt 1024 ]; do echo $line; i=$((i+1)); done
		echo end; `+forever, withVolume(emptyDir, "/d"), withVolume(memory, "/m"), withVolume(w.localClaim("data"), "/l")))
	w.wroteLike(p, "main", "end\n", func(got, want string) bool { return len(got) >= 1<<20 && got[len(got)-len(want):] == want })

	var s *statsapi.Summary
	var of *statsapi.PodStats
	for deadline := time.Now().Add(await.Limit); ; time.Sleep(100 * time.Millisecond) {
		s = w.summary("")
		if of = podIn(s, "writer"); of != nil && len(of.Containers) == 1 && holds(of.Containers[0].Rootfs) || time.Now().After(deadline) {
			break
		}
	}
	shown, _ := json.MarshalIndent(of, "", " ")
	if of == nil || len(of.Containers) != 1 || !holds(of.Containers[0].Rootfs) {
		t.Fatalf("the layer is not measured: %s", shown)
	}
	main := of.Containers[0]
	if main.Name != "main" || main.StartTime.IsZero() || of.StartTime.IsZero() || of.StartTime.After(main.StartTime.Time) || !holds(main.Logs) {
		t.Errorf("the container: %s", shown)
	}
	if len(of.VolumeStats) != 4 {
		t.Fatalf("the volumes: %s", shown)
	}
	onDisk, inMemory, local, token := of.VolumeStats[0], of.VolumeStats[1], of.VolumeStats[2], of.VolumeStats[3]
	if onDisk.Name != "v0" || !holds(&onDisk.FsStats) || inMemory.Name != "v1" || !holds(&inMemory.FsStats) || *inMemory.CapacityBytes != 4<<20 || *token.InodesUsed < 4 {
		t.Errorf("the volumes: %s", shown)
	}
	if local.PVCRef == nil || *local.PVCRef != (statsapi.PVCReference{Namespace: "default", Name: "data"}) || onDisk.PVCRef != nil || !whole(&local.FsStats) {
		t.Errorf("the claim: %s", shown)
	}
	if all := of.EphemeralStorage; !whole(all) || *all.UsedBytes < *main.Rootfs.UsedBytes+*main.Logs.UsedBytes+*onDisk.UsedBytes || *all.UsedBytes >= 4<<20 {
		t.Errorf("all: %s", shown)
	}

	nodeFigures(t, &s.Node)

	s = w.summary("only_cpu_and_memory")
	if of = podIn(s, "writer"); s.Node.Fs != nil || of == nil || of.CPU == nil || of.Memory == nil || of.VolumeStats != nil || of.Containers[0].Rootfs != nil {
		t.Errorf("processors and memory alone: %+v, %+v", s.Node, of)
	}
}

func nodeFigures(t *testing.T, n *statsapi.NodeStats) {
	t.Helper()
	if n.Runtime == nil || n.Rlimit == nil || n.Swap == nil || n.Network == nil {
		t.Fatalf("the node: %+v", n)
	}
	if !whole(n.Fs) || !whole(n.Runtime.ImageFs) || !whole(n.Runtime.ContainerFs) || *n.Rlimit.NumOfRunningProcesses < 1 || *n.Rlimit.MaxPID <= *n.Rlimit.NumOfRunningProcesses {
		shown, _ := json.MarshalIndent(n, "", " ")
		t.Errorf("the node: %s", shown)
	}
}
