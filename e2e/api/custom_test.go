package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/openapi"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

var boats = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "boats"}

// defineBoats makes a custom resource and waits until it is served.
func defineBoats(t *testing.T, r *apitest.Running) {
	t.Helper()
	text := func(description string) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "string", Description: description}
	}
	definition := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "boats.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: boats.Group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "boats", Singular: "boat", Kind: "Boat", ListKind: "BoatList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: boats.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object",
					Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": {
						Type:       "object",
						Properties: map[string]apiextensionsv1.JSONSchemaProps{"hull": text("What it is made of."), "flag": text("Where it is from.")},
					}},
				}},
			}},
		},
	}
	ctx, definitions := apitest.Context(t), apiextensions.NewForConfigOrDie(r.Config(t)).ApiextensionsV1().CustomResourceDefinitions()
	if _, err := definitions.Create(ctx, definition, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	eventually(t, "the custom resource is served", func() bool {
		_, err := dynamic.NewForConfigOrDie(r.Config(t)).Resource(boats).Namespace("default").List(ctx, metav1.ListOptions{})
		return err == nil
	})
}

// eventually waits for what other goroutines of the server do.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(await.Limit); !happened(); {
		if time.Now().After(end) {
			t.Fatalf("it did not come true that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func boat(name, hull string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Boat", "metadata": map[string]any{"name": name, "namespace": "default"},
		"spec": map[string]any{"hull": hull},
	}}
}

func TestCustomResourcesAreServed(t *testing.T) {
	r := apitest.Shared(t)
	defineBoats(t, r)
	ctx, all := apitest.Context(t), dynamic.NewForConfigOrDie(r.Config(t)).Resource(boats).Namespace("default")
	if _, err := all.Create(ctx, boat("a", "willow"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(map[string]any{"apiVersion": "example.com/v1", "kind": "Boat", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{"flag": "wales"}})
	applied, err := all.Patch(ctx, "a", types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if spec := applied.Object["spec"].(map[string]any); spec["hull"] != "willow" || spec["flag"] != "wales" {
		t.Errorf("spec %v", spec)
	}
	wrong := boat("b", "willow")
	wrong.Object["spec"].(map[string]any)["hull"] = int64(3)
	if _, err := all.Create(ctx, wrong, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), "spec.hull") {
		t.Errorf("against the schema: %v", err)
	}
	eventually(t, "discovery tells of the custom resource", func() bool {
		groups, err := r.Client(t).Discovery().ServerResourcesForGroupVersion("example.com/v1")
		return err == nil && len(groups.APIResources) == 1 && groups.APIResources[0].Kind == "Boat"
	})
}

func TestCustomResourcesAreDescribed(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	get := func(path string) string {
		answer, err := r.Client(t).CoreV1().RESTClient().Get().AbsPath(path).DoRaw(apitest.Context(t))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return string(answer)
	}
	if strings.Contains(get("/openapi/v2"), "com.example.v1.Boat") {
		t.Error("described before it was defined")
	}
	defineBoats(t, r)
	var paths map[string]openapi.GroupVersion
	eventually(t, "OpenAPI lists the custom resource", func() bool {
		var err error
		if paths, err = r.Client(t).Discovery().OpenAPIV3().Paths(); err != nil {
			t.Fatal(err)
		}
		return paths["apis/example.com/v1"] != nil
	})
	// Making protobuf of a large document takes the race detector half a minute on a busy machine: the small ones do.
	small := map[string]bool{"version": true, "apis/example.com/v1": true}
	for _, path := range []string{"api/v1", "apis/apps/v1", "apis/apiextensions.k8s.io/v1", "apis/apiregistration.k8s.io/v1", "version", "apis/example.com/v1"} {
		if paths[path] == nil {
			t.Errorf("no document for %s", path)
			continue
		}
		document, err := paths[path].Schema("application/json")
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if strings.Contains(string(document), "__internal") {
			t.Errorf("the document for %s tells of internal versions", path)
		}
		if path == "apis/example.com/v1" && !strings.Contains(string(document), "What it is made of.") {
			t.Errorf("document %s", document)
		}
		if !small[path] {
			continue
		}
		if _, err := paths[path].Schema("application/com.github.proto-openapi.spec.v3@v1.0+protobuf"); err != nil {
			t.Errorf("%s as protobuf: %v", path, err)
		}
	}
	eventually(t, "version 2 describes the custom resource too", func() bool {
		whole := get("/openapi/v2")
		return strings.Contains(whole, "com.example.v1.Boat") && strings.Contains(whole, "io.k8s.api.apps.v1.Deployment")
	})
}

// shared starts a controller-runtime cache on the server's own objects, as a user.
func shared(t *testing.T, r *apitest.Running, name string, groups ...string) cache.Cache {
	t.Helper()
	config := r.Server.ClientConfig(name, groups...)
	options := r.Server.CacheOptions(config)
	c, err := cache.New(config, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- c.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := await.Receive(t, stopped, "the cache stopped"); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCachesInTheProcessFollowCustomResources(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	defineBoats(t, r)
	ctx, all := apitest.Context(t), dynamic.NewForConfigOrDie(r.Config(t)).Resource(boats).Namespace("default")
	c := shared(t, r, "system:admin", "system:masters")
	cached := func(name string) *unstructured.Unstructured {
		found := &unstructured.Unstructured{}
		found.SetGroupVersionKind(boats.GroupVersion().WithKind("Boat"))
		if err := c.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, found); err != nil {
			return nil
		}
		return found
	}
	if _, err := all.Create(ctx, boat("a", "willow"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a is cached", func() bool { return cached("a") != nil })

	// A changed definition gets a storage of its own: the cache must move over.
	definitions := apiextensions.NewForConfigOrDie(r.Config(t)).ApiextensionsV1().CustomResourceDefinitions()
	patch := []byte(`[{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/mast","value":{"type":"string"}}]`)
	if _, err := definitions.Patch(ctx, "boats.example.com", types.JSONPatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new field is kept", func() bool {
		o := boat("b", "oak")
		o.Object["spec"].(map[string]any)["mast"] = "pine"
		_ = all.Delete(ctx, "b", metav1.DeleteOptions{})
		made, err := all.Create(ctx, o, metav1.CreateOptions{})
		return err == nil && made.Object["spec"].(map[string]any)["mast"] == "pine"
	})
	eventually(t, "b is cached with its new field", func() bool {
		b := cached("b")
		return b != nil && b.Object["spec"].(map[string]any)["mast"] == "pine"
	})
	if err := all.Delete(ctx, "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a is no longer cached", func() bool { return cached("a") == nil })
}
