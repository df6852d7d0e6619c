package controllers_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestReplicationControllerKeepsPods(t *testing.T) {
	ns := namespace(t)
	rc := &corev1.ReplicationController{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "rc"},
		Spec:       corev1.ReplicationControllerSpec{Replicas: ptr.To[int32](2), Selector: map[string]string{"app": "web"}, Template: ptr.To(template())},
	}
	create(t, rc)
	ready := func(n int32) func() error {
		return func() error {
			runPods(t, ns)
			if s := rc.Status; s.Replicas != n || s.ReadyReplicas != n || s.ObservedGeneration != rc.Generation {
				return fmt.Errorf("status %+v", s)
			}
			return nil
		}
	}
	eventually(t, rc, ready(2))
	change(t, rc, update, func(rc *corev1.ReplicationController) { rc.Spec.Replicas = ptr.To[int32](1) })
	eventually(t, rc, ready(1))
	if err := admin.Delete(t.Context(), rc); err != nil {
		t.Fatal(err)
	}
	gone(t, rc)
}

func TestClaimIsBoundProtectedAndReleased(t *testing.T) {
	ns := namespace(t)
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "disk-" + ns},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: quantity("5Gi")}, StorageClassName: ns,
			AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/disk"}},
		},
	}
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "c"},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: ptr.To(ns), AccessModes: volume.Spec.AccessModes,
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: quantity("1Gi")}},
		},
	}
	create(t, claim)
	create(t, volume)
	eventually(t, claim, func() error {
		if claim.Status.Phase != corev1.ClaimBound || claim.Spec.VolumeName != volume.Name || claim.Status.Capacity.Storage().String() != "5Gi" {
			return fmt.Errorf("%s to %q, %v", claim.Status.Phase, claim.Spec.VolumeName, claim.Status.Capacity)
		}
		return nil
	})
	phase := func(wanted corev1.PersistentVolumePhase) func() error {
		return func() error {
			if volume.Status.Phase != wanted {
				return fmt.Errorf("phase %s", volume.Status.Phase)
			}
			return nil
		}
	}
	eventually(t, volume, phase(corev1.VolumeBound))

	user := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "user"}, Spec: template().Spec}
	user.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}}}
	create(t, user)
	bind(t, user, "worker")
	if err := admin.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	eventually(t, claim, func() error {
		if claim.DeletionTimestamp == nil {
			return fmt.Errorf("not being deleted")
		}
		return nil
	})
	if err := admin.Delete(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	gone(t, claim)
	eventually(t, volume, phase(corev1.VolumeReleased))
	if err := admin.Delete(t.Context(), volume); err != nil {
		t.Fatal(err)
	}
	gone(t, volume)
}

func TestVolumeAttributesClassStaysWhileVolumesNameIt(t *testing.T) {
	ns := namespace(t)
	class := &storagev1.VolumeAttributesClass{
		ObjectMeta: metav1.ObjectMeta{Name: "fast-" + ns}, DriverName: "disks.example.com", Parameters: map[string]string{"iops": "1000"},
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "disk-" + ns},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: quantity("5Gi")}, StorageClassName: ns, VolumeAttributesClassName: &class.Name,
			AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: class.DriverName, VolumeHandle: "1"}},
		},
	}
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "c"},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: ptr.To(ns), VolumeAttributesClassName: &class.Name, AccessModes: volume.Spec.AccessModes,
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: quantity("1Gi")}},
		},
	}
	create(t, class)
	create(t, volume)
	create(t, claim)
	// From then on the controllers know of both.
	eventually(t, claim, func() error {
		if claim.Status.Phase != corev1.ClaimBound {
			return fmt.Errorf("phase %s", claim.Status.Phase)
		}
		return nil
	})
	for _, object := range []client.Object{class, claim} {
		if err := admin.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	gone(t, claim)
	// A class that nothing names goes at once: had the other not been kept, it would be gone by then.
	free := &storagev1.VolumeAttributesClass{ObjectMeta: metav1.ObjectMeta{Name: "slow-" + ns}, DriverName: class.DriverName, Parameters: class.Parameters}
	create(t, free)
	if err := admin.Delete(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	gone(t, free)
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(class), class); err != nil || class.DeletionTimestamp == nil {
		t.Fatalf("a class in use: %v, deleted at %v", err, class.DeletionTimestamp)
	}
	if err := admin.Delete(t.Context(), volume); err != nil {
		t.Fatal(err)
	}
	gone(t, class)
}

func TestPodsEphemeralVolumeHasAClaimWhileThePodLives(t *testing.T) {
	ns := namespace(t)
	template := &corev1.PersistentVolumeClaimTemplate{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"made": "for-a-pod"}},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: ptr.To(ns), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: quantity("1Gi")}},
		},
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "p"},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "c", Image: "i"}},
			Volumes: []corev1.Volume{{Name: "scratch-1", VolumeSource: corev1.VolumeSource{
				Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: template},
			}}},
		},
	}
	create(t, pod)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "p-scratch-1"}}
	eventually(t, claim, func() error {
		if !metav1.IsControlledBy(claim, pod) || claim.Labels["made"] != "for-a-pod" || *claim.Spec.StorageClassName != ns {
			return fmt.Errorf("it is %v", claim)
		}
		return nil
	})
	first := claim.UID
	if err := admin.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	eventually(t, claim, func() error {
		if claim.UID == first {
			return fmt.Errorf("it is still the first: %v", claim)
		}
		return nil
	})
	if err := admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	gone(t, claim)
}
