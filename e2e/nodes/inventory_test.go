package nodes

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// inventory is all objects that a cluster keeps, but for those that come and go by themselves: events, leases and the like.
type inventory map[types.UID]unstructured.Unstructured

var transient = []string{"events", "leases", "endpointslices", "endpoints"}

func (c *cluster) inventory() inventory {
	c.t.Helper()
	all := inventory{}
	quiet := rest.CopyConfig(c.config)
	quiet.WarningHandler = rest.NoWarnings{}
	objects, err := dynamic.NewForConfig(quiet)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, resource := range c.resources() {
		list, err := objects.Resource(resource).List(c.t.Context(), metav1.ListOptions{})
		if err != nil {
			c.t.Fatalf("listing %v: %v", resource, err)
		}
		for _, one := range list.Items {
			if one.GetUID() != "" { // what is not stored has none
				all[one.GetUID()] = one
			}
		}
	}
	return all
}

// resources are those that can be listed.
func (c *cluster) resources() (all []schema.GroupVersionResource) {
	c.t.Helper()
	served, err := discovery.ServerPreferredResources(c.client.Discovery())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, list := range served {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && !slices.Contains(transient, r.Name) {
				all = append(all, version.WithResource(r.Name))
			}
		}
	}
	return all
}

// lostIn tells what of the inventory is not in a later one, and what of the objects that the test made is different there.
// Fields may be added: newer programs have newer defaults.
func (i inventory) lostIn(later inventory) error {
	var errs []error
	for uid, old := range i {
		name := fmt.Sprintf("%s %s/%s", old.GetKind(), old.GetNamespace(), old.GetName())
		now, found := later[uid]
		switch {
		case !found:
			errs = append(errs, fmt.Errorf("%s (%s) is gone", name, uid))
		case old.GetAPIVersion() == now.GetAPIVersion() && (old.GetNamespace() == "kept" || old.GetLabels()["kept"] != ""):
			for _, change := range changes("", content(old), content(now)) {
				errs = append(errs, fmt.Errorf("%s: %s", name, change))
			}
		}
	}
	return errors.Join(errs...)
}

// content is what users have written, and the generation, which counts changes of it.
func content(o unstructured.Unstructured) map[string]any {
	o = *o.DeepCopy()
	delete(o.Object, "status")
	o.SetResourceVersion("")
	o.SetManagedFields(nil)
	return o.Object
}

// changes are the paths at which something of old is missing or different.
func changes(path string, old, now any) (paths []string) {
	switch old := old.(type) {
	case map[string]any:
		now, _ := now.(map[string]any)
		for key, value := range old {
			paths = append(paths, changes(path+"."+key, value, now[key])...)
		}
		return paths
	case []any:
		now, _ := now.([]any)
		if len(old) == len(now) {
			for i, value := range old {
				paths = append(paths, changes(fmt.Sprintf("%s[%d]", path, i), value, now[i])...)
			}
			return paths
		}
	}
	if !reflect.DeepEqual(old, now) {
		paths = append(paths, fmt.Sprintf("%s was %v and is %v", path, old, now))
	}
	return paths
}
