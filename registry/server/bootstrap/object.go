package bootstrap

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// client is the part of a typed client that keeping an object takes.
type client[T metav1.Object] interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (T, error)
	Create(ctx context.Context, obj T, o metav1.CreateOptions) (T, error)
	Update(ctx context.Context, obj T, o metav1.UpdateOptions) (T, error)
}

// keep makes sure that the object exists and, where revise changes what is stored and says so, changes it. A nil revise
// leaves what is there alone.
func keep[T metav1.Object](ctx context.Context, c client[T], wanted T, revise func(stored T) bool) error {
	stored, err := c.Get(ctx, wanted.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = c.Create(ctx, wanted, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			return named(err, "creating", wanted)
		}
		stored, err = c.Get(ctx, wanted.GetName(), metav1.GetOptions{})
	}
	if err != nil {
		return named(err, "reading", wanted)
	}
	if revise == nil || !revise(stored) {
		return nil
	}
	_, err = c.Update(ctx, stored, metav1.UpdateOptions{})
	return named(err, "updating", wanted)
}

func unlessGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func named(err error, doing string, o metav1.Object) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %T %s: %w", doing, o, o.GetName(), err)
}
