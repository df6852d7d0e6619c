package namespace

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/ptr"
)

// finalizerPatience is how long finalizers of contained objects are given before the next look.
const finalizerPatience = 15 * time.Second

// content is what may be in a namespace: objects of every namespaced resource, custom ones included.
type content struct {
	resources discovery.DiscoveryInterface
	objects   metadata.Interface
}

// findings is what one pass over a namespace found.
type findings struct {
	// discovery and parsing are why not all resources could be looked at.
	discovery, parsing error
	// deletion are the errors of deleting and listing; errs are all.
	deletion, errs []error
	remaining      map[schema.GroupVersionResource]int
	finalizers     map[string]int
	// patience is how long what remains may take to go away by itself.
	patience time.Duration
}

var pods = corev1.SchemeGroupVersion.WithResource("pods")

// delete asks for the deletion of everything in the namespace and reports what is left. Pods go first and alone: what
// they use must outlive them.
func (c content) delete(ctx context.Context, namespace string, age time.Duration) findings {
	found := findings{remaining: map[schema.GroupVersionResource]int{}, finalizers: map[string]int{}}
	lists, err := discovery.ServerPreferredNamespacedResources(c.resources)
	if err != nil {
		found.discovery = err
		found.errs = append(found.errs, err)
	}
	deletable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"delete"}}, lists)
	kinds, err := discovery.GroupVersionResources(deletable)
	if err != nil {
		found.parsing = err
		found.errs = append(found.errs, err)
	}
	verbs := verbsOf(deletable)
	if _, ok := kinds[pods]; ok {
		delete(kinds, pods)
		c.deleteKind(ctx, pods, verbs[pods], namespace, age, &found)
		if found.remaining[pods] > 0 {
			return found
		}
	}
	for kind := range kinds {
		c.deleteKind(ctx, kind, verbs[kind], namespace, age, &found)
	}
	return found
}

func verbsOf(lists []*metav1.APIResourceList) map[schema.GroupVersionResource]sets.Set[string] {
	verbs := map[schema.GroupVersionResource]sets.Set[string]{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			verbs[gv.WithResource(resource.Name)] = sets.New(resource.Verbs...)
		}
	}
	return verbs
}

func (c content) deleteKind(ctx context.Context, kind schema.GroupVersionResource, verbs sets.Set[string], namespace string,
	age time.Duration, found *findings) {
	left, err := c.emptied(ctx, kind, verbs, namespace)
	if err != nil {
		err = fmt.Errorf("deleting %s in namespace %s: %w", kind.GroupResource(), namespace, err)
		found.deletion, found.errs = append(found.deletion, err), append(found.errs, err)
		return
	}
	if len(left) == 0 {
		return
	}
	found.remaining[kind] = len(left)
	patience := gracePeriod(left, age)
	for _, o := range left {
		for _, finalizer := range o.Finalizers {
			found.finalizers[finalizer]++
			patience = max(patience, finalizerPatience)
		}
	}
	if patience == 0 {
		err := fmt.Errorf("unexpected items still remain in namespace: %s for gvr: %v", namespace, kind)
		found.deletion, found.errs = append(found.deletion, err), append(found.errs, err)
	}
	found.patience = max(found.patience, patience)
}

// gracePeriod is how long at most the objects may still take to end in good order: only Pods have such a time.
func gracePeriod(left []metav1.PartialObjectMetadata, age time.Duration) time.Duration {
	var longest time.Duration
	for _, o := range left {
		longest = max(longest, time.Duration(ptr.Deref(o.DeletionGracePeriodSeconds, 0))*time.Second)
	}
	if age >= longest {
		return 0
	}
	return longest
}

// emptied deletes all objects of a kind and returns those that are still there then.
func (c content) emptied(ctx context.Context, kind schema.GroupVersionResource, verbs sets.Set[string], namespace string) ([]metav1.PartialObjectMetadata, error) {
	objects := c.objects.Resource(kind).Namespace(namespace)
	background := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}
	if !verbs.Has("list") {
		if !verbs.Has("deletecollection") {
			return nil, nil
		}
		return nil, unsupported(objects.DeleteCollection(ctx, background, metav1.ListOptions{}))
	}
	there, err := objects.List(ctx, metav1.ListOptions{})
	if err != nil || len(there.Items) == 0 {
		return nil, unsupported(err)
	}
	if verbs.Has("deletecollection") {
		if err := unsupported(objects.DeleteCollection(ctx, background, metav1.ListOptions{})); err != nil {
			return nil, err
		}
	} else if err := deleteEach(ctx, objects, there.Items, background); err != nil {
		return nil, err
	}
	left, err := objects.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, unsupported(err)
	}
	return left.Items, nil
}

func deleteEach(ctx context.Context, objects metadata.ResourceInterface, items []metav1.PartialObjectMetadata, options metav1.DeleteOptions) error {
	for i := range items {
		if err := unsupported(objects.Delete(ctx, items[i].Name, options)); err != nil {
			return err
		}
	}
	return nil
}

// unsupported drops the errors of a resource that is gone since it was discovered, or does not do what it said.
func unsupported(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return nil
	}
	return err
}
