package rule

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// FieldNames makes values of errors read as in upstream's messages: upstream prints its internal types, which have no JSON tags,
// so that all fields are there, by their Go names. Clients and their tests match such messages.
func FieldNames(errs field.ErrorList) field.ErrorList {
	for _, err := range errs {
		if isAPIStruct(err.BadValue) || isAPIList(err.BadValue) {
			err.BadValue = Internal(err.BadValue)
		}
	}
	return errs
}

// Internal is value as its internal type would be encoded.
func Internal(value any) json.Marshaler { return internal{reflect.ValueOf(value)} }

// isAPIStruct reports whether the value is a struct of k8s.io/api, or points to one.
func isAPIStruct(value any) bool {
	t := reflect.TypeOf(value)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t != nil && isAPIType(t)
}

func isAPIList(value any) bool {
	t := reflect.TypeOf(value)
	return t != nil && t.Kind() == reflect.Slice && holdsAPITypes(t)
}

// AsServed keeps a value in an error as clients write it: declared rules look at what they sent.
type AsServed struct{ Value any }

// MarshalJSON implements json.Marshaler.
func (s AsServed) MarshalJSON() ([]byte, error) { return json.Marshal(s.Value) }

func isAPIType(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.PkgPath(), "k8s.io/api/")
}

type internal struct{ value reflect.Value }

func (i internal) MarshalJSON() ([]byte, error) {
	switch v := i.value; v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return []byte("null"), nil
		}
		if isAPIType(v.Type().Elem()) {
			return internal{v.Elem()}.MarshalJSON()
		}
	case reflect.Slice:
		if v.Len() > 0 && holdsAPITypes(v.Type()) {
			return i.list()
		}
	case reflect.Struct:
		if isAPIType(v.Type()) {
			return i.object()
		}
	}
	return json.Marshal(i.value.Interface())
}

func holdsAPITypes(t reflect.Type) bool {
	if t = t.Elem(); t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return isAPIType(t)
}

func (i internal) list() ([]byte, error) {
	all := make([]internal, i.value.Len())
	for n := range all {
		all[n] = internal{i.value.Index(n)}
	}
	return json.Marshal(all)
}

// object writes all fields in their order; those of embedded structs stand in their places.
func (i internal) object() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	add := func(encoded []byte) {
		if len(encoded) == 0 {
			return
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.Write(encoded)
	}
	for n := range i.value.NumField() {
		f := i.value.Type().Field(n)
		if strings.HasPrefix(f.Name, "Deprecated") && f.Name != "DeprecatedServiceAccount" { // no internal type has others
			continue
		}
		if f.Type == reflect.TypeFor[metav1.TypeMeta]() { // empty in all internal types
			continue
		}
		encoded, err := internal{i.value.Field(n)}.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if f.Anonymous {
			add(bytes.TrimSuffix(bytes.TrimPrefix(encoded, []byte("{")), []byte("}")))
			continue
		}
		add(append([]byte(`"`+f.Name+`":`), encoded...))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
