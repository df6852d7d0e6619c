package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func TestImpossibleResourceVersionsAreTheClientsMistake(t *testing.T) {
	r := apitest.Shared(t)
	defineBoats(t, r)
	client := r.Client(t).CoreV1().RESTClient()
	for _, path := range []string{
		"/api/v1/services?watch=true&resourceVersion=-1",
		"/api/v1/persistentvolumes?watch=true&resourceVersion=nonsense",
		"/api/v1/namespaces/default?resourceVersion=-1",
		"/api/v1/namespaces/default/configmaps?resourceVersion=-1",
		"/apis/apps/v1/deployments?limit=1&resourceVersion=nonsense",
		"/apis/apps/v1/deployments?resourceVersion=1.5&resourceVersionMatch=Exact",
		"/apis/example.com/v1/namespaces/default/boats?resourceVersion=x",
	} {
		var code int
		err := client.Get().RequestURI(path).Do(apitest.Context(t)).StatusCode(&code).Error()
		if code != http.StatusBadRequest || !apierrors.IsBadRequest(err) {
			t.Errorf("%s: %d, %v", path, code, err)
		}
	}
}

func TestApplyBearsNothingThatIsBeingDeleted(t *testing.T) {
	r := apitest.Shared(t)
	defineBoats(t, r)
	ctx, client := apitest.Context(t), dynamic.NewForConfigOrDie(r.Config(t))
	for _, c := range []struct {
		version, kind, resource string
	}{{"v1", "ConfigMap", "configmaps"}, {"example.com/v1", "Boat", "boats"}} {
		gv, err := schema.ParseGroupVersion(c.version)
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": c.version, "kind": c.kind,
			"metadata": map[string]any{
				"name": "revenant", "creationTimestamp": "2001-02-03T04:05:06Z",
				"deletionTimestamp": "2025-01-02T03:04:05Z", "deletionGracePeriodSeconds": int64(30),
			},
		}}
		if c.kind == "Boat" {
			o.Object["spec"] = map[string]any{"hull": "reed"}
		}
		in := client.Resource(gv.WithResource(c.resource)).Namespace("default")
		made, err := in.Apply(ctx, "revenant", o, metav1.ApplyOptions{FieldManager: "restore"})
		if err != nil {
			t.Errorf("applying a %s: %v", c.kind, err)
			continue
		}
		if made.GetDeletionTimestamp() != nil || made.GetDeletionGracePeriodSeconds() != nil || made.GetCreationTimestamp().Year() < 2020 {
			t.Errorf("the new %s has %v", c.kind, made.Object["metadata"])
		}
		if err := in.Delete(ctx, "revenant", metav1.DeleteOptions{}); err != nil {
			t.Errorf("deleting the %s: %v", c.kind, err)
		}
		if _, err := in.Get(ctx, "revenant", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("the %s is still there: %v", c.kind, err)
		}
	}
}

func TestDeletedClassesAreReturned(t *testing.T) {
	r := apitest.Shared(t)
	ctx, client := apitest.Context(t), r.Client(t)
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Provisioner: "example.com/fast"}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var gone storagev1.StorageClass
	err := client.StorageV1().RESTClient().Delete().Resource("storageclasses").Name("fast").Do(ctx).Into(&gone)
	if err != nil || gone.Provisioner != "example.com/fast" {
		t.Errorf("DELETE answered %v, %v", gone, err)
	}
}

func TestFinalizersNeedADomainInUpdatesToo(t *testing.T) {
	r := apitest.Shared(t)
	ctx, maps := apitest.Context(t), r.Client(t).CoreV1().ConfigMaps("default")
	if _, err := maps.Create(ctx, configMap("kept"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for patch, fine := range map[string]bool{
		`{"metadata":{"finalizers":["foo"]}}`:             false,
		`{"metadata":{"finalizers":["example.com/foo"]}}`: true,
		`{"metadata":{"finalizers":null}}`:                true,
	} {
		_, err := maps.Patch(ctx, "kept", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if fine && err != nil || !fine && !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v", patch, err)
		}
	}
}

func TestScaleIsOfTheObjectThatWasRead(t *testing.T) {
	r := apitest.Shared(t)
	ctx, sets := apitest.Context(t), r.Client(t).AppsV1().ReplicaSets("default")
	labels := map[string]string{"app": "web"}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.ReplicaSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
	}}
	if _, err := sets.Create(ctx, set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	scale, err := sets.GetScale(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	scale.Spec.Replicas, scale.ResourceVersion = 3, ""
	if _, err := sets.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{}); err != nil {
		t.Errorf("scaling the object itself: %v", err)
	}
	scale.UID = "another"
	if _, err := sets.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("scaling by the Scale of an object that is gone: %v", err)
	}
}

func TestEmptyRuntimeClassIsAValidationError(t *testing.T) {
	r := apitest.Shared(t)
	giveServiceAccount(t, r.Client(t))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "unclassed"}, Spec: corev1.PodSpec{
		RuntimeClassName: ptr.To(""), Containers: []corev1.Container{{Name: "c", Image: "i"}},
	}}
	_, err := r.Client(t).CoreV1().Pods("default").Create(apitest.Context(t), pod, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.runtimeClassName") {
		t.Errorf("got %v", err)
	}
}

func TestDeletingAJobWithoutItsPodsWarns(t *testing.T) {
	r := apitest.Shared(t)
	config, told := r.Config(t), &warnings{}
	config.WarningHandler = told
	ctx, jobs := apitest.Context(t), kubernetes.NewForConfigOrDie(config).BatchV1().Jobs("default")
	for _, c := range []struct {
		policy *metav1.DeletionPropagation
		warns  bool
	}{{nil, true}, {ptr.To(metav1.DeletePropagationOrphan), false}, {ptr.To(metav1.DeletePropagationBackground), false}} {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{GenerateName: "j-"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c", Image: "i"}},
		}}}}
		made, err := jobs.Create(ctx, job, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		told.texts = nil
		if err := jobs.Delete(ctx, made.Name, metav1.DeleteOptions{PropagationPolicy: c.policy}); err != nil {
			t.Fatal(err)
		}
		if warned := slices.ContainsFunc(told.texts, func(text string) bool { return strings.Contains(text, "child pods are preserved") }); warned != c.warns {
			t.Errorf("policy %v: warnings %q", ptr.Deref(c.policy, "none"), told.texts)
		}
	}
}
