package scheme

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
)

// addQueryConversions lets the options of subresources be read from query strings.
func addQueryConversions(s *runtime.Scheme) error {
	for _, options := range []any{
		&corev1.PodLogOptions{}, &corev1.PodExecOptions{}, &corev1.PodAttachOptions{}, &corev1.PodPortForwardOptions{},
		&corev1.PodProxyOptions{}, &corev1.ServiceProxyOptions{}, &corev1.NodeProxyOptions{},
	} {
		err := s.AddConversionFunc((*url.Values)(nil), options, func(values, into any, scope conversion.Scope) error {
			return fromQuery(*values.(*url.Values), into, scope)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fromQuery sets the fields of the struct that into points to from the parameters called as their JSON names.
func fromQuery(values url.Values, into any, scope conversion.Scope) error {
	options := reflect.ValueOf(into).Elem()
	for i := range options.NumField() {
		name, _, _ := strings.Cut(options.Type().Field(i).Tag.Get("json"), ",")
		given, ok := values[name]
		if !ok || name == "" {
			continue
		}
		if err := setField(options.Field(i).Addr().Interface(), given, scope); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return nil
}

func setField(field any, given []string, scope conversion.Scope) error {
	switch f := field.(type) {
	case *string:
		return runtime.Convert_Slice_string_To_string(&given, f, scope)
	case **string:
		if len(given) > 0 {
			*f = &given[0]
		}
		return nil
	case *[]string:
		*f = append([]string(nil), given...)
		return nil
	case *bool:
		return runtime.Convert_Slice_string_To_bool(&given, f, scope)
	case **int64:
		return runtime.Convert_Slice_string_To_Pointer_int64(&given, f, scope)
	case *[]int32:
		return metav1.Convert_Slice_string_To_Slice_int32(&given, f, scope)
	case **metav1.Time:
		return metav1.Convert_Slice_string_To_Pointer_v1_Time(&given, f, scope)
	}
	return fmt.Errorf("no conversion to %T", field)
}
