package localstorage

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/coracle-k8s/coracle/apis/volume"
)

func TestADefaultClassIsMadeWhereThereIsNone(t *testing.T) {
	marked := func(name, annotation, value string) storagev1.StorageClass {
		return storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotation: value}}}
	}
	for name, c := range map[string]struct {
		classes []storagev1.StorageClass
		want    bool
	}{
		"no class":                  {nil, true},
		"classes for those who ask": {[]storagev1.StorageClass{marked("slow", api.DefaultClassAnnotation, "false"), {}}, true},
		"another default class":     {[]storagev1.StorageClass{{}, marked("fast", api.DefaultClassAnnotation, "true")}, false},
		"one in the old way":        {[]storagev1.StorageClass{marked("fast", "storageclass.beta.kubernetes.io/is-default-class", "true")}, false},
		"a class of that name":      {[]storagev1.StorageClass{marked("local", "a", "b")}, false},
	} {
		if got := wanted(c.classes); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestTheClassIsItsUsersOnceItIsMade(t *testing.T) {
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem}}
	r, ctx := world(t, &disks{}, system), t.Context()
	decide := func() {
		t.Helper()
		if _, err := r.Reconcile(ctx, requestOf(ctx, system)[0]); err != nil {
			t.Fatal(err)
		}
	}
	decide()
	var class storagev1.StorageClass
	if err := r.client.Get(ctx, client.ObjectKey{Name: "local"}, &class); err != nil || !api.IsDefaultClass(&class) {
		t.Fatalf("the class: %+v, %v", class, err)
	}
	if err := r.client.Delete(ctx, &class); err != nil {
		t.Fatal(err)
	}
	decide()
	if err := r.client.Get(ctx, client.ObjectKey{Name: "local"}, &class); err == nil {
		t.Error("a deleted class is made again")
	}
}
