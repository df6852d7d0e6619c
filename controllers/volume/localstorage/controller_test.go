package localstorage

import (
	"context"
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-helpers/storage/volume"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/volume/pvcprotection"
)

// disks are nodes that fail as err says, and what was asked of them.
type disks struct {
	err   error
	asked []string
}

func (d *disks) Make(_ context.Context, node string, v *corev1.PersistentVolume) (string, error) {
	d.asked = append(d.asked, "make "+node+" "+v.Name)
	return "/d/" + v.Name, d.err
}

func (d *disks) Delete(_ context.Context, node, volume string) error {
	d.asked = append(d.asked, "delete "+node+" "+volume)
	return d.err
}

func world(t *testing.T, d *disks, objects ...client.Object) *controller {
	t.Helper()
	b := fake.NewClientBuilder().WithScheme(clientscheme.Scheme).WithObjects(objects...).WithStatusSubresource(&corev1.PersistentVolumeClaim{})
	b.WithIndex(&corev1.Pod{}, pvcprotection.ByClaim, func(o client.Object) (names []string) {
		for _, r := range pvcprotection.ClaimsOf(context.Background(), o) {
			names = append(names, r.Name)
		}
		return names
	})
	if err := AddIndexes(t.Context(), indexes{b}); err != nil {
		t.Fatal(err)
	}
	return &controller{client: b.Build(), recorder: events.NewFakeRecorder(50), nodes: d}
}

type indexes struct{ *fake.ClientBuilder }

func (i indexes) IndexField(_ context.Context, o client.Object, field string, f client.IndexerFunc) error {
	i.WithIndex(o, field, f)
	return nil
}

// ready is a node with room for 10Gi.
func ready(name string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{corev1.LabelHostname: name}, Annotations: map[string]string{api.LocalRoom: "10Gi"},
		},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
}

func local(mode storagev1.VolumeBindingMode) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "local"}, Provisioner: api.LocalProvisioner, VolumeBindingMode: &mode}
}

func selected(node string) *corev1.PersistentVolumeClaim {
	c, class := claimed(), "local"
	c.Spec.StorageClassName = &class
	c.Annotations = map[string]string{volume.AnnStorageProvisioner: api.LocalProvisioner, volume.AnnSelectedNode: node}
	return c
}

func TestAVolumeComesAndGoesWithItsClaim(t *testing.T) {
	node, class, d := ready("n"), local(storagev1.VolumeBindingWaitForFirstConsumer), &disks{}
	r := world(t, d, node, class, selected("n"))
	ctx, key := t.Context(), client.ObjectKey{Name: "pvc-uid"}
	for range 2 {
		if _, err := r.Reconcile(ctx, loop.Request("ns", "c")); err != nil {
			t.Fatal(err)
		}
	}
	var v corev1.PersistentVolume
	if err := r.client.Get(ctx, key, &v); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(ctx, loop.Request("", v.Name)); err != nil || slices.Contains(d.asked, "delete n pvc-uid") {
		t.Fatalf("a volume in use: %v, asked %v", err, d.asked)
	}
	if err := r.client.Delete(ctx, selected("n")); err != nil {
		t.Fatal(err)
	}
	v.Status.Phase = corev1.VolumeReleased
	if err := r.client.Status().Update(ctx, &v); err != nil {
		t.Fatal(err)
	}
	d.err = errors.New("away")
	if _, err := r.Reconcile(ctx, loop.Request("", v.Name)); err == nil || r.client.Get(ctx, key, &v) != nil {
		t.Error("while its node is away, the volume is let go")
	}
	d.err = nil
	if _, err := r.Reconcile(ctx, loop.Request("", v.Name)); err != nil {
		t.Fatal(err)
	}
	if err := r.client.Get(ctx, key, &v); !apierrors.IsNotFound(err) {
		t.Errorf("the volume is still there: %v", err)
	}
}

func TestANodeWithoutStorageIsGivenUp(t *testing.T) {
	class, node := local(storagev1.VolumeBindingWaitForFirstConsumer), ready("n")
	for _, name := range []string{"n", "gone"} {
		r := world(t, &disks{err: ErrNone}, node.DeepCopy(), class.DeepCopy(), selected(name))
		if _, err := r.Reconcile(t.Context(), loop.Request("ns", "c")); err != nil {
			t.Fatal(err)
		}
		var c corev1.PersistentVolumeClaim
		if err := r.client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "c"}, &c); err != nil || c.Annotations[volume.AnnSelectedNode] != "" {
			t.Errorf("node %s: %v, annotations %v", name, err, c.Annotations)
		}
	}
}
