package persistentvolume

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

func storage(size string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
}

func pv(name, size string, changes ...func(*corev1.PersistentVolume)) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: storage(size), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: "fast",
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable},
	}
	for _, c := range changes {
		c(v)
	}
	return v
}

func reserved(name string, uid types.UID) func(*corev1.PersistentVolume) {
	return func(v *corev1.PersistentVolume) {
		v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "ns", Name: name, UID: uid}
	}
}

func pvc(changes ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", UID: "c"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: ptr.To("fast"),
		Resources: corev1.VolumeResourceRequirements{Requests: storage("5Gi")},
	}}
	for _, c := range changes {
		c(claim)
	}
	return claim
}

func selected(claim *corev1.PersistentVolumeClaim) {
	metav1.SetMetaDataAnnotation(&claim.ObjectMeta, volume.AnnSelectedNode, "a")
}

func wanting(name string) func(*corev1.PersistentVolumeClaim) {
	return func(claim *corev1.PersistentVolumeClaim) { claim.Spec.VolumeName = name }
}

func class(mode storagev1.VolumeBindingMode) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Provisioner: "p", VolumeBindingMode: &mode}
}

func TestReconcileClaim(t *testing.T) {
	now, later := class(storagev1.VolumeBindingImmediate), class(storagev1.VolumeBindingWaitForFirstConsumer)
	slow := func(v *corev1.PersistentVolume) { v.Spec.StorageClassName = "slow" }
	for name, test := range map[string]struct {
		claim   *corev1.PersistentVolumeClaim
		objects []client.Object
		// bound is the volume that the claim gets, asked the provisioner that is to make one.
		bound, asked, event string
	}{
		"a free volume":     {pvc(), []client.Object{now, pv("v", "9Gi")}, "v", "", ""},
		"none of the class": {pvc(), []client.Object{now, pv("v", "9Gi", slow)}, "", "p", "Normal ExternalProvisioning"},
		"no such class":     {pvc(), nil, "", "", "Warning ProvisioningFailed"},
		"a class that nobody knows, but volumes of": {pvc(), []client.Object{pv("v", "9Gi")}, "v", "", ""},
		"waits for a consumer":                      {pvc(), []client.Object{later, pv("v", "9Gi")}, "", "", "Normal WaitForFirstConsumer"},
		"its consumer's node has no volume": {pvc(selected), []client.Object{later, pv("elsewhere", "9Gi")}, "", "p",
			"Normal ExternalProvisioning"},
		"the scheduler chose":        {pvc(), []client.Object{later, pv("v", "9Gi", reserved("c", "c")), pv("w", "5Gi")}, "v", "", ""},
		"the provisioner made it":    {pvc(selected), []client.Object{later, pv("v", "9Gi", reserved("c", "c"))}, "v", "", ""},
		"named":                      {pvc(wanting("v")), []client.Object{later, pv("v", "9Gi"), pv("w", "9Gi")}, "v", "", ""},
		"named, but not there":       {pvc(wanting("v")), []client.Object{now, pv("w", "9Gi")}, "", "", ""},
		"named, but too small":       {pvc(wanting("v")), []client.Object{now, pv("v", "1Gi")}, "", "", "Warning VolumeMismatch"},
		"named, but another's":       {pvc(wanting("v")), []client.Object{now, pv("v", "9Gi", reserved("d", ""))}, "", "", "Warning FailedBinding"},
		"named, and reserved for it": {pvc(wanting("v")), []client.Object{now, pv("v", "1Gi", reserved("c", ""))}, "v", "", ""},
		"is being deleted, as it came": {pvc(func(c *corev1.PersistentVolumeClaim) {
			c.DeletionTimestamp, c.Finalizers = ptr.To(metav1.Now()), []string{"f"}
		}), []client.Object{now, pv("v", "9Gi")}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(5)
			r := &controller{recorder: recorder, client: fake.NewClientBuilder().WithObjects(test.claim).WithObjects(test.objects...).
				WithStatusSubresource(test.claim, &corev1.PersistentVolume{}).
				WithIndex(&corev1.PersistentVolume{}, byTaker, takerOf).WithIndex(&corev1.PersistentVolumeClaim{}, byWish, wishOf).Build()}
			if _, err := r.Reconcile(t.Context(), loop.Request("ns", "c")); err != nil {
				t.Fatal(err)
			}
			var claim corev1.PersistentVolumeClaim
			if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(test.claim), &claim); err != nil {
				t.Fatal(err)
			}
			bound := ""
			if claim.Status.Phase == corev1.ClaimBound {
				bound = claim.Spec.VolumeName
			}
			if bound != test.bound || claim.Annotations[volume.AnnStorageProvisioner] != test.asked {
				t.Errorf("bound to %q, asked %q", bound, claim.Annotations[volume.AnnStorageProvisioner])
			}
			expectEvent(t, recorder, test.event)
		})
	}
}

// expectEvent wants one event that begins so, or none.
func expectEvent(t *testing.T, recorder *events.FakeRecorder, want string) {
	t.Helper()
	got := ""
	select {
	case got = <-recorder.Events:
	default:
	}
	if want == "" && got != "" || want != "" && (len(got) < len(want) || got[:len(want)] != want) {
		t.Errorf("event %q, want %q", got, want)
	}
}

func TestClaimsThatSayNothingGetTheDefaultClassLater(t *testing.T) {
	silent := func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = nil }
	none := func(v *corev1.PersistentVolume) { v.Spec.StorageClassName = "" }
	standard := class(storagev1.VolumeBindingImmediate)
	metav1.SetMetaDataAnnotation(&standard.ObjectMeta, "storageclass.kubernetes.io/is-default-class", "true")
	for name, test := range map[string]struct {
		claim   *corev1.PersistentVolumeClaim
		objects []client.Object
		want    *string
	}{
		"the default class comes":       {pvc(silent), []client.Object{standard}, ptr.To("fast")},
		"a class that is not marked":    {pvc(silent), []client.Object{class(storagev1.VolumeBindingImmediate)}, nil},
		"a volume without a class":      {pvc(silent), []client.Object{standard, pv("v", "9Gi", none)}, nil},
		"no class on purpose":           {pvc(func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = ptr.To("") }), []client.Object{standard}, ptr.To("")},
		"a volume of the default class": {pvc(silent), []client.Object{standard, pv("v", "9Gi")}, ptr.To("fast")},
	} {
		t.Run(name, func(t *testing.T) {
			r := &controller{recorder: events.NewFakeRecorder(5), client: fake.NewClientBuilder().WithObjects(test.claim).WithObjects(test.objects...).
				WithStatusSubresource(test.claim, &corev1.PersistentVolume{}).
				WithIndex(&corev1.PersistentVolume{}, byTaker, takerOf).WithIndex(&corev1.PersistentVolumeClaim{}, byWish, wishOf).Build()}
			if _, err := r.Reconcile(t.Context(), loop.Request("ns", "c")); err != nil {
				t.Fatal(err)
			}
			var claim corev1.PersistentVolumeClaim
			if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(test.claim), &claim); err != nil {
				t.Fatal(err)
			}
			if got := claim.Spec.StorageClassName; (got == nil) != (test.want == nil) || ptr.Deref(got, "") != ptr.Deref(test.want, "") {
				t.Errorf("its class is %v, want %v", got, test.want)
			}
			if test.want != nil && *test.want != "" && len(r.onClass(t.Context(), standard)) != 1 {
				t.Error("the claim is not woken by the class that it has")
			}
		})
	}
	r := &controller{client: fake.NewClientBuilder().WithObjects(pvc(silent)).WithIndex(&corev1.PersistentVolumeClaim{}, byWish, wishOf).Build()}
	if len(r.onClass(t.Context(), standard)) != 1 || len(r.onClass(t.Context(), class(storagev1.VolumeBindingImmediate))) != 0 {
		t.Error("the default class wakes who says nothing of a class, and no other does")
	}
}

func TestAFreeVolumeWakesWhoMayGetIt(t *testing.T) {
	other := pvc(func(c *corev1.PersistentVolumeClaim) { c.Name, c.Spec.StorageClassName = "other", ptr.To("slow") })
	bound := pvc(func(c *corev1.PersistentVolumeClaim) { c.Name, c.Status.Phase = "bound", corev1.ClaimBound })
	named := pvc(wanting("v"), func(c *corev1.PersistentVolumeClaim) { c.Name, c.Spec.StorageClassName = "named", ptr.To("slow") })
	r := &controller{client: fake.NewClientBuilder().WithObjects(pvc(), other, bound, named).
		WithIndex(&corev1.PersistentVolumeClaim{}, byWish, wishOf).Build()}
	woken := map[string]bool{}
	for _, request := range r.onVolume(t.Context(), pv("v", "9Gi")) {
		woken[request.String()] = true
	}
	if len(woken) != 3 || !woken["/v"] || !woken["ns/c"] || !woken["ns/named"] {
		t.Errorf("woke %v, want /v, ns/c and ns/named", woken)
	}
}
