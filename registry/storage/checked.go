package storage

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	apistorage "k8s.io/apiserver/pkg/storage"
)

// checked mends for all kinds, custom ones too, what the library lets through: resource versions that no server ever gave are
// the client's mistake and not the server's, and objects that an update creates are not born as being deleted.
type checked struct{ apistorage.Interface }

func (c checked) Get(ctx context.Context, key string, o apistorage.GetOptions, into runtime.Object) error {
	if err := checkVersion(o.ResourceVersion); err != nil {
		return err
	}
	return c.Interface.Get(ctx, key, o, into)
}

func (c checked) GetList(ctx context.Context, key string, o apistorage.ListOptions, into runtime.Object) error {
	if err := checkVersion(o.ResourceVersion); err != nil {
		return err
	}
	return c.Interface.GetList(ctx, key, o, into)
}

func (c checked) Watch(ctx context.Context, key string, o apistorage.ListOptions) (watch.Interface, error) {
	if err := checkVersion(o.ResourceVersion); err != nil {
		return nil, err
	}
	return c.Interface.Watch(ctx, key, o)
}

func checkVersion(version string) error {
	if _, err := (apistorage.APIObjectVersioner{}).ParseResourceVersion(version); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid resource version: %v", err)) // as the library says it of lists
	}
	return nil
}

func (c checked) GuaranteedUpdate(ctx context.Context, key string, into runtime.Object, ignoreNotFound bool, p *apistorage.Preconditions, update apistorage.UpdateFunc, cached runtime.Object) error {
	return c.Interface.GuaranteedUpdate(ctx, key, into, ignoreNotFound, p, func(input runtime.Object, found apistorage.ResponseMeta) (runtime.Object, *uint64, error) {
		obj, ttl, err := update(input, found)
		if err == nil && found.ResourceVersion == 0 {
			err = bear(obj)
		}
		return obj, ttl, err
	}, cached)
}

// bear clears what POST would have cleared: an object that is created by server-side apply from a manifest that was once read
// from an object being deleted.
func bear(obj runtime.Object) error {
	m, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	m.SetDeletionTimestamp(nil)
	m.SetDeletionGracePeriodSeconds(nil)
	return nil
}
