package metrics

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// usage is in the units in which metrics-server tells it.
func usage(u *Use) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(u.CPU, resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(u.Memory, resource.BinarySI),
	}
}

// window is to the millisecond, as it is measured.
func window(d time.Duration) metav1.Duration {
	return metav1.Duration{Duration: d.Round(time.Millisecond)}
}

// row is what the table says of one object.
type row struct {
	name   string
	usage  corev1.ResourceList
	window metav1.Duration
}

// columns are metrics-server's.
var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the resource"},
	{Name: "cpu", Type: "string", Format: "quantity"},
	{Name: "memory", Type: "string", Format: "quantity"},
	{Name: "Window", Type: "string", Format: "duration"},
}

// table has a row for obj, or for each of its items.
func table(obj, options runtime.Object, rowOf func(runtime.Object) *row) (*metav1.Table, error) {
	t := &metav1.Table{Rows: []metav1.TableRow{}}
	if o, ok := options.(*metav1.TableOptions); !ok || !o.NoHeaders {
		t.ColumnDefinitions = columns
	}
	add := func(o runtime.Object) error {
		r := rowOf(o)
		if r == nil {
			return fmt.Errorf("a table of metrics cannot show %T", o)
		}
		t.Rows = append(t.Rows, metav1.TableRow{Object: runtime.RawExtension{Object: o}, Cells: []any{
			r.name, r.usage.Cpu().String(), r.usage.Memory().String(), r.window.Duration.String(),
		}})
		return nil
	}
	if meta.IsListType(obj) {
		return t, meta.EachListItem(obj, add)
	}
	return t, add(obj)
}
