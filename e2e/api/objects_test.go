package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

// objects are examples of every kind.
func objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob("testdata/objects/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
		for {
			o := &unstructured.Unstructured{}
			if err := decoder.Decode(o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if len(o.Object) > 0 {
				all = append(all, o)
			}
		}
	}
	return all
}

// resources gives clients for objects.
type resources struct {
	mapper meta.RESTMapper
	client dynamic.Interface
}

func newResources(t *testing.T, r *apitest.Running) *resources {
	t.Helper()
	groups, err := restmapper.GetAPIGroupResources(r.Client(t).Discovery())
	if err != nil {
		t.Fatal(err)
	}
	return &resources{restmapper.NewDiscoveryRESTMapper(groups), dynamic.NewForConfigOrDie(r.Config(t))}
}

func (r *resources) of(t *testing.T, o *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	gvk := o.GroupVersionKind()
	m, err := r.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Fatal(err)
	}
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		return r.client.Resource(m.Resource).Namespace(o.GetNamespace())
	}
	return r.client.Resource(m.Resource)
}

func dryRun() []string { return []string{metav1.DryRunAll} }

// A wrong schema drops managed fields silently, and breaks server-side apply only.
func TestEveryKindHasManagedFields(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	clients := newResources(t, r)
	giveServiceAccount(t, r.Client(t))
	seen := map[string]bool{}
	for _, o := range objects(t) {
		kind := o.GroupVersionKind().String()
		t.Run(fmt.Sprintf("%s/%s", o.GetKind(), o.GetName()), func(t *testing.T) {
			if o.GetKind() == "Binding" {
				t.Skip("posted to a Pod")
			}
			if o.GetName() != "" {
				o.SetLabels(map[string]string{"some": "label"})
			}
			ctx, client := apitest.Context(t), clients.of(t, o)
			created, err := client.Create(ctx, o, metav1.CreateOptions{DryRun: dryRun(), FieldManager: "creator"})
			if err != nil {
				t.Fatalf("creating: %v", err)
			}
			if o.GetName() == "" {
				return // answered, not stored
			}
			checkManaged(t, created, "creator")
			body, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			applied, err := client.Patch(ctx, o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{DryRun: dryRun(), FieldManager: "applier"})
			if err != nil {
				t.Fatalf("applying: %v", err)
			}
			checkManaged(t, applied, "applier")
			seen[kind] = true
		})
	}
	const kinds = 55
	if len(seen) < kinds {
		t.Errorf("managed fields were seen of %d kinds only", len(seen))
	}
}

func checkManaged(t *testing.T, o *unstructured.Unstructured, manager string) {
	t.Helper()
	for _, m := range o.GetManagedFields() {
		if m.Manager != manager {
			continue
		}
		var fields map[string]any
		if err := json.Unmarshal(m.FieldsV1.Raw, &fields); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"metadata", "spec", "data"} {
			if part == "spec" && o.GetKind() == "CertificateSigningRequest" {
				continue // nobody's: it never changes
			}
			if _, has := o.Object[part].(map[string]any); has && fields["f:"+part] == nil {
				t.Errorf("managed fields of %s lack %s: %s", manager, part, m.FieldsV1.Raw)
			}
		}
		return
	}
	t.Errorf("%s manages no fields: %v", manager, o.GetManagedFields())
}

// giveServiceAccount does what a controller does: admission of Pods asks for it.
func giveServiceAccount(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := client.CoreV1().ServiceAccounts("default").Create(apitest.Context(t), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}
