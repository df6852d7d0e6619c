package localstorage

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func claimed() *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", UID: "uid"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func TestWhatCanBeMade(t *testing.T) {
	for want, change := range map[string]func(*corev1.PersistentVolumeClaim, *storagev1.StorageClass){
		"": func(*corev1.PersistentVolumeClaim, *storagev1.StorageClass) {},
		"parameters": func(_ *corev1.PersistentVolumeClaim, s *storagev1.StorageClass) {
			s.Parameters = map[string]string{"path": "/"}
		},
		"selector": func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) {
			c.Spec.Selector = &metav1.LabelSelector{}
		},
		"dataSource": func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) {
			c.Spec.DataSource = &corev1.TypedLocalObjectReference{}
		},
		"Block": func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) {
			c.Spec.VolumeMode = ptr.To(corev1.PersistentVolumeBlock)
		},
		"access modes": func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) {
			c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod, corev1.ReadWriteMany}
		},
	} {
		claim, class := claimed(), &storagev1.StorageClass{}
		change(claim, class)
		if got := unable(claim, class); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAVolumeIsTheClaimsOnItsNode(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{corev1.LabelHostname: "host"}}}
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "local"}, ReclaimPolicy: ptr.To(corev1.PersistentVolumeReclaimRetain)}
	v, err := made(claimed(), class, node)
	if err != nil {
		t.Fatal(err)
	}
	terms := v.Spec.NodeAffinity.Required.NodeSelectorTerms
	if v.Name != "pvc-uid" || v.Spec.ClaimRef.UID != "uid" || terms[0].MatchExpressions[0].Values[0] != "host" ||
		v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain || v.Spec.Capacity.Storage().String() != "1Gi" {
		t.Errorf("made %v", v)
	}
	if v, err := made(claimed(), class, &corev1.Node{}); err == nil {
		t.Errorf("a volume of a node that cannot be told from others: %v", v)
	}
}

func TestFates(t *testing.T) {
	const wipe, retain = corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain
	with := func(uid string) *corev1.PersistentVolumeClaim {
		c := claimed()
		c.UID = "uid"
		if uid != "" {
			c.UID = "other"
		}
		return c
	}
	for name, c := range map[string]struct {
		policy  corev1.PersistentVolumeReclaimPolicy
		phase   corev1.PersistentVolumePhase
		leaving bool
		brought bool // back, from elsewhere
		claim   *corev1.PersistentVolumeClaim
		want    fate
	}{
		"in use":                       {wipe, corev1.VolumeBound, false, false, with(""), keep},
		"in use, though said not":      {wipe, corev1.VolumeReleased, false, false, with(""), keep},
		"not said to be released yet":  {wipe, corev1.VolumeBound, false, false, nil, keep},
		"released":                     {wipe, corev1.VolumeReleased, false, false, nil, destroy},
		"of a claim before":            {wipe, corev1.VolumeReleased, false, false, with("other"), destroy},
		"retained":                     {retain, corev1.VolumeReleased, false, false, nil, keep},
		"retained, deleted":            {retain, corev1.VolumeReleased, true, false, nil, release},
		"deleted":                      {wipe, corev1.VolumeReleased, true, false, nil, destroy},
		"deleted under its claim":      {wipe, corev1.VolumeBound, true, false, with(""), keep},
		"new":                          {wipe, corev1.VolumeBound, false, true, with(""), note},
		"brought back without a claim": {wipe, corev1.VolumeReleased, false, true, nil, doubt},
		"for another claim's name":     {wipe, corev1.VolumeReleased, true, true, with("other"), doubt},
	} {
		v := &corev1.PersistentVolume{
			Spec:   corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: c.policy, ClaimRef: &corev1.ObjectReference{UID: "uid"}},
			Status: corev1.PersistentVolumeStatus{Phase: c.phase},
		}
		v.UID = "v"
		if !c.brought {
			v.Annotations = map[string]string{madeAs: "v"}
		}
		if c.leaving {
			v.DeletionTimestamp = ptr.To(metav1.Now())
		}
		if got := fateOf(v, c.claim); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
