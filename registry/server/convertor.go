package server

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
)

// hubConvertor converts without copying deeply, and never writes into what it is given: between two names of one Go type
// the scheme would write the kind into its input, which may be shared.
type hubConvertor struct{ *runtime.Scheme }

func (h hubConvertor) ConvertToVersion(in runtime.Object, gv runtime.GroupVersioner) (runtime.Object, error) {
	return h.Scheme.UnsafeConvertToVersion(shallow(in), gv)
}

// shallow copies the struct that a typed object points to.
func shallow(in runtime.Object) runtime.Object {
	if _, ok := in.(runtime.Unstructured); ok {
		return in
	}
	v := reflect.ValueOf(in)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return in
	}
	out := reflect.New(v.Elem().Type())
	out.Elem().Set(v.Elem())
	return out.Interface().(runtime.Object)
}
