package storage

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
	clientscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/coracle-k8s/coracle/registry/tee"
)

// listed is a storage of two Pods that keeps what it is to count keys with.
type listed struct {
	storage.Interface
	keys storage.KeysFunc
}

func (l *listed) EnableResourceSizeEstimation(keys storage.KeysFunc) error {
	l.keys = keys
	return nil
}

func (l *listed) GetList(_ context.Context, _ string, _ storage.ListOptions, into runtime.Object) error {
	list := into.(*corev1.PodList)
	list.ResourceVersion = "7"
	for _, name := range []string{"a", "b"} {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n", ResourceVersion: "5"}})
	}
	return nil
}

func TestKeysAreCountedInMemory(t *testing.T) {
	etcd := &listed{}
	key := func(o runtime.Object) (string, error) { return "/pods/n/" + o.(*corev1.Pod).Name, nil }
	c := counted{tee.New(clientscheme.Scheme, false).Source(&corev1.Pod{}, etcd, nil), key}
	asked := 0
	consistent := func(context.Context) ([]string, error) { asked++; return []string{"/pods/n/old"}, nil }
	if err := c.EnableResourceSizeEstimation(consistent); err != nil {
		t.Fatal(err)
	}
	if got, err := etcd.keys(t.Context()); err != nil || asked != 1 || !slices.Equal(got, []string{"/pods/n/old"}) {
		t.Errorf("before the first list: %v, %v, asked %d times", got, err, asked)
	}
	if err := c.GetList(t.Context(), "/pods", storage.ListOptions{}, &corev1.PodList{}); err != nil {
		t.Fatal(err)
	}
	got, err := etcd.keys(t.Context())
	slices.Sort(got)
	if err != nil || asked != 1 || !slices.Equal(got, []string{"/pods/n/a", "/pods/n/b"}) {
		t.Errorf("after it: %v, %v, asked %d times", got, err, asked)
	}
}
