package volume

import (
	"testing"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func classOf(name string, created int64, annotation, value string) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{
		Name: name, CreationTimestamp: metav1.NewTime(time.Unix(created, 0)), Annotations: map[string]string{annotation: value},
	}}
}

func TestDefaultClass(t *testing.T) {
	const isDefault = "storageclass.kubernetes.io/is-default-class"
	for name, test := range map[string]struct {
		classes []*storagev1.StorageClass
		want    string
	}{
		"none":              {nil, ""},
		"none is marked":    {[]*storagev1.StorageClass{classOf("a", 1, isDefault, "false")}, ""},
		"the marked one":    {[]*storagev1.StorageClass{classOf("a", 2, "", ""), classOf("b", 1, isDefault, "true")}, "b"},
		"the newest":        {[]*storagev1.StorageClass{classOf("a", 1, isDefault, "true"), classOf("b", 2, isDefault, "true")}, "b"},
		"the first by name": {[]*storagev1.StorageClass{classOf("b", 1, isDefault, "true"), classOf("a", 1, isDefault, "true")}, "a"},
		"the old mark":      {[]*storagev1.StorageClass{classOf("a", 1, "storageclass.beta.kubernetes.io/is-default-class", "true")}, "a"},
	} {
		got := ""
		if c := DefaultClass(test.classes); c != nil {
			got = c.Name
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
