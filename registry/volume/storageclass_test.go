package volume

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOneClassIsTheDefault(t *testing.T) {
	class := func(name string, age time.Duration, isDefault string) *storageClass {
		return &storageClass{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(time.Unix(1e9, 0).Add(-age)),
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": isDefault},
		}}
	}
	for want, all := range map[string][]*storageClass{
		"":      {class("a", 0, "false")},
		"new":   {class("old", time.Hour, "true"), class("new", 0, "true"), class("newer", 0, "false")},
		"first": {class("second", 0, "true"), class("first", 0, "true"), class("third", 0, "true")},
	} {
		got := ""
		if c := defaultClass(all); c != nil {
			got = c.Name
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
