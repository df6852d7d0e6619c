package localstorage

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

func sized(size string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
}

func TestClaimsGrow(t *testing.T) {
	const failed, inProgress, infeasible = corev1.PersistentVolumeClaimControllerResizeError, corev1.PersistentVolumeClaimControllerResizeInProgress, corev1.PersistentVolumeClaimControllerResizeInfeasible
	for name, c := range map[string]struct {
		asks, volume string
		err          error
		want         string // the claim's and the volume's size after it
		state        corev1.ClaimResourceStatus
		condition    corev1.PersistentVolumeClaimConditionType
	}{
		"as it is":                       {asks: "1Gi", volume: "1Gi", want: "1Gi"},
		"more":                           {asks: "3Gi", volume: "1Gi", want: "3Gi"},
		"all there is":                   {asks: "10Gi", volume: "1Gi", want: "10Gi"},
		"more than there is":             {asks: "11Gi", volume: "1Gi", want: "1Gi", state: infeasible, condition: failed},
		"more than the disk has":         {asks: "3Gi", volume: "1Gi", err: ErrFull, want: "1Gi", state: infeasible, condition: failed},
		"while its node does not answer": {asks: "3Gi", volume: "1Gi", err: errors.New("cut off"), want: "1Gi", state: inProgress, condition: failed},
		"interrupted":                    {asks: "3Gi", volume: "3Gi", want: "3Gi"},
		"more, and then less again":      {asks: "2Gi", volume: "3Gi", want: "3Gi"},
	} {
		claim := selected("n")
		claim.Spec.VolumeName, claim.Spec.Resources.Requests = "pvc-uid", sized(c.asks)
		claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: sized("1Gi")}
		v, err := made(claimed(), local(storagev1.VolumeBindingImmediate), ready("n"))
		if err != nil {
			t.Fatal(err)
		}
		v.Spec.Capacity = sized(c.volume)
		r := world(t, &disks{err: c.err}, ready("n"), v, claim)
		_, err = r.Reconcile(t.Context(), loop.Request("ns", "c"))
		if (err != nil) != (c.condition != "") {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(r.client.Get(t.Context(), client.ObjectKeyFromObject(claim), claim), r.client.Get(t.Context(), client.ObjectKeyFromObject(v), v)); err != nil {
			t.Fatal(err)
		}
		var conditions []corev1.PersistentVolumeClaimConditionType
		for _, is := range claim.Status.Conditions {
			if is.Type != corev1.PersistentVolumeClaimResizing {
				conditions = append(conditions, is.Type)
			}
		}
		if claim.Status.Capacity.Storage().String() != c.want || v.Spec.Capacity.Storage().Cmp(resource.MustParse(c.want)) != 0 || claim.Status.AllocatedResourceStatuses[corev1.ResourceStorage] != c.state {
			t.Errorf("%s: the claim's status %+v, the volume has %s", name, claim.Status, v.Spec.Capacity.Storage())
		}
		if (c.condition == "") != (len(conditions) == 0) || c.condition != "" && conditions[0] != c.condition {
			t.Errorf("%s: conditions %v", name, conditions)
		}
	}
}

// TestAGrowthThatCannotBeIsTakenBack: a claim that asks for less again, for as much as it has, is done.
func TestAGrowthThatCannotBeIsTakenBack(t *testing.T) {
	claim := selected("n")
	claim.Spec.VolumeName = "pvc-uid"
	claim.Status = resizeFailed(resizing(corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: sized("1Gi")}, resource.MustParse("99Gi")), ErrFull)
	if !growing(claim) {
		t.Fatal("nobody looks at it")
	}
	v, err := made(claimed(), local(storagev1.VolumeBindingImmediate), ready("n"))
	if err != nil {
		t.Fatal(err)
	}
	r := world(t, &disks{}, ready("n"), v, claim)
	if _, err := r.Reconcile(t.Context(), loop.Request("ns", "c")); err != nil {
		t.Fatal(err)
	}
	if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(claim), claim); err != nil {
		t.Fatal(err)
	}
	if s := claim.Status; growing(claim) || len(s.Conditions) > 0 || s.Capacity.Storage().String() != "1Gi" || s.AllocatedResources.Storage().String() != "1Gi" {
		t.Errorf("the claim's status %+v", s)
	}
}
