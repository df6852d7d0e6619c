// Package plugin makes admission plugins of functions.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/tools/cache"
)

// Func admits or validates a request that the plugin is on for.
type Func func(ctx context.Context, a admission.Attributes) error

// On says which requests a plugin is asked about.
type On struct {
	Operations []admission.Operation
	// Resources of Group, with their subresources: "pods", "pods/binding". None means all of all groups.
	Group     string
	Resources []string
	// Concerns, unless nil, narrows that down.
	Concerns func(a admission.Attributes) bool
	// Synced are the informers that the plugin reads: it waits for them.
	Synced []cache.InformerSynced
}

// Mutating makes a plugin that may change objects.
func Mutating(on On, admit Func) admission.Interface { return &mutating{on.base(), admit} }

// Validating makes a plugin that sees objects as they will be stored.
func Validating(on On, validate Func) admission.Interface { return &validating{on.base(), validate} }

// Both makes one plugin of a mutating and a validating one.
func Both(admit, validate admission.Interface) admission.Interface {
	return &both{admit.(admission.MutationInterface), validate.(admission.ValidationInterface)}
}

// base is shared.
type base struct {
	*admission.Handler
	on On
}

func (on On) base() *base {
	b := &base{Handler: admission.NewHandler(on.Operations...), on: on}
	if len(on.Synced) > 0 {
		b.SetReadyFunc(func() bool {
			return !slices.ContainsFunc(on.Synced, func(synced cache.InformerSynced) bool { return !synced() })
		})
	}
	return b
}

func (b *base) call(ctx context.Context, a admission.Attributes, f Func) error {
	if !b.on.concerns(a) {
		return nil
	}
	if !b.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	return f(ctx, a)
}

func (on *On) concerns(a admission.Attributes) bool {
	return on.lists(a) && (on.Concerns == nil || on.Concerns(a))
}

func (on *On) lists(a admission.Attributes) bool {
	if len(on.Resources) == 0 {
		return true
	}
	r := a.GetResource()
	if r.Group != on.Group {
		return false
	}
	for _, wanted := range on.Resources {
		if sub := a.GetSubresource(); sub == "" && wanted == r.Resource || sub != "" && wanted == r.Resource+"/"+sub {
			return true
		}
	}
	return false
}

type mutating struct {
	*base
	admit Func
}

func (m *mutating) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	return m.call(ctx, a, m.admit)
}

type validating struct {
	*base
	validate Func
}

func (v *validating) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	return v.call(ctx, a, v.validate)
}

type both struct {
	admit    admission.MutationInterface
	validate admission.ValidationInterface
}

func (b *both) Handles(o admission.Operation) bool {
	return b.admit.Handles(o) || b.validate.Handles(o)
}

func (b *both) Admit(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	if !b.admit.Handles(a.GetOperation()) {
		return nil
	}
	return b.admit.Admit(ctx, a, o)
}

func (b *both) Validate(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	if !b.validate.Handles(a.GetOperation()) {
		return nil
	}
	return b.validate.Validate(ctx, a, o)
}

// Object is the request's object; an error of the API if it has another type.
func Object[T runtime.Object](a admission.Attributes) (T, error) { return as[T](a.GetObject()) }

// Old is the object before the request.
func Old[T runtime.Object](a admission.Attributes) (T, error) { return as[T](a.GetOldObject()) }

func as[T runtime.Object](obj runtime.Object) (T, error) {
	typed, ok := obj.(T)
	if !ok {
		return typed, apierrors.NewBadRequest(fmt.Sprintf("expected %T but got %T", typed, obj))
	}
	return typed, nil
}

var (
	_ admission.MutationInterface   = &mutating{}
	_ admission.ValidationInterface = &validating{}
	_ admission.MutationInterface   = &both{}
	_ admission.ValidationInterface = &both{}
)
