package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/apis/version"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"a": "b"}}
}

// namespace makes one for a test that counts what there is.
func namespace(t *testing.T, r *apitest.Running, name string) string {
	t.Helper()
	if _, err := r.Client(t).CoreV1().Namespaces().Create(apitest.Context(t), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestObjectsTravelAsProtobuf(t *testing.T) {
	r := apitest.Shared(t)
	c := r.Config(t)
	c.ContentType, c.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf"
	client := kubernetes.NewForConfigOrDie(c).CoreV1().ConfigMaps("default")
	created, err := client.Create(apitest.Context(t), configMap("protobuf"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if created.Data["a"] != "b" || created.UID == "" {
		t.Errorf("got %v", created)
	}
}

func TestListsComeInChunks(t *testing.T) {
	r := apitest.Shared(t)
	ctx, client := apitest.Context(t), r.Client(t).CoreV1().ConfigMaps(namespace(t, r, "chunks"))
	const all = 25
	for i := range all {
		if _, err := client.Create(ctx, configMap(fmt.Sprint("c", i)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	seen, pages, next := map[string]bool{}, 0, ""
	for {
		page, err := client.List(ctx, metav1.ListOptions{Limit: 10, Continue: next})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Items {
			seen[o.Name] = true
		}
		pages++
		if next = page.Continue; next == "" {
			break
		}
	}
	if len(seen) != all || pages != 3 {
		t.Errorf("%d objects in %d pages", len(seen), pages)
	}
}

func TestTablesHaveColumns(t *testing.T) {
	r := apitest.Shared(t)
	var table metav1.Table
	answer, err := r.Client(t).CoreV1().RESTClient().Get().AbsPath("/api/v1/namespaces").Param("fieldSelector", "metadata.name=kube-system").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(apitest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &table); err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, c := range table.ColumnDefinitions {
		columns = append(columns, c.Name)
	}
	if table.Kind != "Table" || strings.Join(columns, ",") != "Name,Status,Age" || len(table.Rows) != 1 {
		t.Errorf("kind %s, columns %v, %d rows", table.Kind, columns, len(table.Rows))
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	r := apitest.Shared(t)
	ctx, client := apitest.Context(t), r.Client(t).CoreV1().ConfigMaps("default")
	if _, err := client.Create(ctx, configMap("dry"), metav1.CreateOptions{DryRun: dryRun()}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(ctx, "dry", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after a dry run: %v", err)
	}
}

func TestApplyingTheSameChangesNothing(t *testing.T) {
	r := apitest.Shared(t)
	ctx, client := apitest.Context(t), r.Client(t)
	body := []byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},
		"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`)
	apply := func(manager string, force bool) (string, error) {
		d, err := client.AppsV1().Deployments("default").Patch(ctx, "d", types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: manager, Force: &force})
		if err != nil {
			return "", err
		}
		return d.ResourceVersion, nil
	}
	first, err := apply("one", false)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := apply("one", false); err != nil || again != first {
		t.Errorf("applied again: revision %s, was %s, %v", again, first, err)
	}
	body = []byte(strings.Replace(string(body), `"image":"i"`, `"image":"j"`, 1))
	if _, err := apply("two", false); !apierrors.IsConflict(err) {
		t.Errorf("another manager's change: %v", err)
	}
	if _, err := apply("two", true); err != nil {
		t.Errorf("forced: %v", err)
	}
}

func TestWatchesStreamWhatIsThereAndABookmark(t *testing.T) {
	r := apitest.Shared(t)
	ctx, client := apitest.Context(t), r.Client(t).CoreV1().ConfigMaps(namespace(t, r, "streamed"))
	for i := range 3 {
		if _, err := client.Create(ctx, configMap(fmt.Sprint("c", i)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	yes := true
	w, err := client.Watch(ctx, metav1.ListOptions{
		SendInitialEvents: &yes, AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	added := 0
	for e := range w.ResultChan() {
		switch e.Type {
		case watch.Added:
			added++
		case watch.Bookmark:
			if o := e.Object.(*corev1.ConfigMap); o.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
				t.Errorf("bookmark %v", o)
			}
			if added != 3 {
				t.Errorf("%d objects before the bookmark", added)
			}
			return
		default:
			t.Fatalf("event %v", e)
		}
	}
	t.Error("the watch ended without a bookmark")
}

func TestPodOptionsComeFromTheQuery(t *testing.T) {
	r := apitest.Shared(t)
	client := r.Client(t)
	giveServiceAccount(t, client)
	for query, want := range map[string]int{"tailLines=x": http.StatusBadRequest, "tailLines=-1": http.StatusUnprocessableEntity, "tailLines=3": http.StatusNotFound} {
		result := client.CoreV1().RESTClient().Get().AbsPath("/api/v1/namespaces/default/pods/p/log").Param("tailLines", strings.TrimPrefix(query, "tailLines=")).Do(apitest.Context(t))
		var code int
		if result.StatusCode(&code); code != want {
			t.Errorf("%s: %d, want %d (%v)", query, code, want, result.Error())
		}
	}
}

func TestVersionIsKubernetes(t *testing.T) {
	r := apitest.Shared(t)
	v, err := r.Client(t).Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if v.Major+"."+v.Minor != version.MajorMinor || v.GitVersion != "v"+version.Kubernetes+"+coracle" {
		t.Errorf("version %v", v)
	}
}

func TestDeprecatedKindsWarn(t *testing.T) {
	r := apitest.Shared(t)
	c := r.Config(t)
	heard := &warnings{}
	c.WarningHandler = heard
	if _, err := kubernetes.NewForConfigOrDie(c).CoreV1().Endpoints("default").List(apitest.Context(t), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(heard.texts) != 1 || !strings.Contains(heard.texts[0], "deprecated") {
		t.Errorf("warnings %q", heard.texts)
	}
}

type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeader(code int, _ string, text string) {
	w.texts = append(w.texts, text)
}

var _ rest.WarningHandler = &warnings{}

func TestServiceKubernetesLeadsToTheServer(t *testing.T) {
	r := apitest.Shared(t)
	ctx, client := apitest.Context(t), r.Client(t)
	service, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if service.Spec.ClusterIP != "10.96.0.1" {
		t.Errorf("cluster IP %s", service.Spec.ClusterIP)
	}
	w, err := client.DiscoveryV1().EndpointSlices("default").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=kubernetes"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	select {
	case e := <-w.ResultChan():
		if e.Type != watch.Added {
			t.Errorf("event %v", e)
		}
	case <-time.After(2 * time.Minute):
		t.Error("no endpoints")
	}
}
