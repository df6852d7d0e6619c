package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// watch expects what happens, in order, from the version of a list on.
func (p *program) watch(ctx context.Context) error {
	all := p.typed.CoreV1().ConfigMaps(p.namespace)
	list, err := all.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	events, err := all.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion, FieldSelector: "metadata.name=watched", AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer events.Stop()
	made, err := all.Create(ctx, configMap("watched"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	made.Data["a"] = "c"
	_, err = all.Update(ctx, made, metav1.UpdateOptions{})
	err = errors.Join(err, all.Delete(ctx, "watched", metav1.DeleteOptions{}))
	if err != nil {
		return err
	}
	for _, want := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted} {
		e, open := <-events.ResultChan()
		if !open || e.Type != want {
			return fmt.Errorf("%v (the watch goes on: %t) instead of %s", e, open, want)
		}
	}
	return nil
}

// inform keeps caches, of typed and of untyped objects, and expects them to follow.
func (p *program) inform(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	typed := informers.NewSharedInformerFactoryWithOptions(p.typed, 0, informers.WithNamespace(p.namespace))
	untyped := dynamicinformer.NewFilteredDynamicSharedInformerFactory(p.untyped, 0, p.namespace, nil)
	caches := []cache.SharedIndexInformer{typed.Core().V1().ConfigMaps().Informer(), untyped.ForResource(configMaps).Informer()}
	seen := typed.Core().V1().ConfigMaps().Lister().ConfigMaps(p.namespace)
	typed.Start(ctx.Done())
	untyped.Start(ctx.Done())
	defer func() {
		cancel()
		typed.Shutdown()
		untyped.Shutdown()
	}()
	if !cache.WaitForCacheSync(ctx.Done(), caches[0].HasSynced, caches[1].HasSynced) {
		return errors.New("the caches are never filled")
	}
	made, err := p.typed.CoreV1().ConfigMaps(p.namespace).Create(ctx, configMap("informed"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	for there := false; !there; {
		_, there, _ = caches[1].GetStore().GetByKey(p.namespace + "/informed")
		one, err := seen.Get(made.Name)
		there = there && err == nil && same(one, made)
		select {
		case <-ctx.Done():
			return fmt.Errorf("the caches do not follow: %w", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func same(a, b *corev1.ConfigMap) bool {
	return a.UID == b.UID && a.ResourceVersion == b.ResourceVersion
}
