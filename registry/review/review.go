// Package review makes endpoints of kinds that are answered and never stored.
package review

import (
	"context"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Answer answers what is posted. It calls admit, once, when all else but the answer is known to be right.
type Answer[T runtime.Object] func(ctx context.Context, in T, admit func() error) (T, error)

// Endpoint answers objects of kind T, in a namespace or not.
func Endpoint[T runtime.Object](singular string, namespaced bool, answer Answer[T]) rest.Storage {
	return &endpoint[T]{singular, namespaced, answer}
}

type endpoint[T runtime.Object] struct {
	singular   string
	namespaced bool
	answer     Answer[T]
}

var _ rest.Creater = &endpoint[runtime.Object]{}

func (e *endpoint[T]) New() runtime.Object {
	return reflect.New(reflect.TypeFor[T]().Elem()).Interface().(T)
}
func (e *endpoint[T]) Destroy()                {}
func (e *endpoint[T]) NamespaceScoped() bool   { return e.namespaced }
func (e *endpoint[T]) GetSingularName() string { return e.singular }

func (e *endpoint[T]) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	admit := func() error {
		if validate == nil {
			return nil
		}
		return validate(ctx, obj.DeepCopyObject())
	}
	return e.answer(ctx, obj.(T), admit)
}
