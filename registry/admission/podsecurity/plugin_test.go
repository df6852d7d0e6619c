package podsecurity

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

type warnings []string

func (w *warnings) AddWarning(_, text string) { *w = append(*w, text) }

func TestNamespacesLabelIsEnforced(t *testing.T) {
	client := fake.NewClientset(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "free"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "strict", Labels: map[string]string{
			"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "baseline"}}},
	)
	factory := informers.NewSharedInformerFactory(client, 0)
	p, err := New(factory, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	defer factory.Shutdown()
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "c", SecurityContext: &corev1.SecurityContext{Privileged: new(true)}}}}
	pod := &corev1.Pod{Spec: spec}
	deployment := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: spec}}}
	for name, test := range map[string]struct {
		namespace, resource string
		obj                 runtime.Object
		refused, warned     bool
	}{
		"a privileged pod where nothing is said": {"free", "pods", pod, false, false},
		"a privileged pod":                       {"strict", "pods", pod, true, false},
		"what would make one":                    {"strict", "deployments", deployment, false, true},
		"an ordinary pod":                        {"strict", "pods", &corev1.Pod{}, false, false},
	} {
		var w warnings
		group := ""
		if test.resource == "deployments" {
			group = "apps"
		}
		a := admission.NewAttributesRecord(test.obj, nil, schema.GroupVersionKind{}, test.namespace, "n",
			schema.GroupVersionResource{Group: group, Version: "v1", Resource: test.resource}, "", admission.Create, nil, false, &user.DefaultInfo{Name: "u"})
		err := p.(admission.ValidationInterface).Validate(warning.WithWarningRecorder(context.Background(), &w), a, nil)
		if (err != nil) != test.refused || len(w) > 0 != test.warned {
			t.Errorf("%s: error %v, warnings %v", name, err, w)
		}
		if test.refused && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "baseline:latest"`)) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
