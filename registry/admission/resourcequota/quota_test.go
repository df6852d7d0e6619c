package resourcequota

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	library "k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	api "k8s.io/apiserver/pkg/admission/plugin/resourcequota/apis/resourcequota"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func list(pairs ...string) corev1.ResourceList {
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return l
}

// The library's plugin with our evaluators, in a namespace with one quota.
func enforce(t *testing.T, hard, used corev1.ResourceList, resourceName string, operation admission.Operation, obj, old runtime.Object) error {
	t.Helper()
	client := fake.NewClientset(&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "quota", ResourceVersion: "1"},
		Spec: corev1.ResourceQuotaSpec{Hard: hard}, Status: corev1.ResourceQuotaStatus{Hard: hard, Used: used}})
	factory := informers.NewSharedInformerFactory(client, 0)
	p, err := library.NewResourceQuota(&api.Configuration{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	p.SetDrainedNotification(stop)
	p.SetExternalKubeClientSet(client)
	p.SetExternalKubeInformerFactory(factory)
	p.SetQuotaConfiguration(Configuration(time.Now))
	if err := p.ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	defer factory.Shutdown()
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	a := admission.NewAttributesRecord(obj, old, schema.GroupVersionKind{}, "ns", "n", schema.GroupVersionResource{Version: "v1", Resource: resourceName}, "", operation, nil, false, nil)
	return p.Validate(context.Background(), a, nil)
}

func pod(requests corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: requests}}}}}
}

func TestQuotaIsEnforced(t *testing.T) {
	service := func(kind corev1.ServiceType) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Spec: corev1.ServiceSpec{Type: kind, Ports: []corev1.ServicePort{{Port: 80}}}}
	}
	for name, test := range map[string]struct {
		hard, used corev1.ResourceList
		resource   string
		operation  admission.Operation
		obj, old   runtime.Object
		want       string
	}{
		"a pod that fits":        {list("pods", "2", "requests.cpu", "2"), list("pods", "1", "requests.cpu", "1"), "pods", admission.Create, pod(list("cpu", "1")), nil, ""},
		"one pod too many":       {list("pods", "1"), list("pods", "1"), "pods", admission.Create, pod(nil), nil, "exceeded quota: quota, requested: pods=1, used: pods=1, limited: pods=1"},
		"too much CPU":           {list("cpu", "2"), list("cpu", "1500m"), "pods", admission.Create, pod(list("cpu", "1")), nil, "exceeded quota: quota, requested: cpu=1, used: cpu=1500m, limited: cpu=2"},
		"no CPU said":            {list("requests.cpu", "2"), list("requests.cpu", "0"), "pods", admission.Create, pod(nil), nil, "failed quota: quota: must specify requests.cpu for: c"},
		"a secret too many":      {list("secrets", "1"), list("secrets", "1"), "secrets", admission.Create, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}}, nil, "exceeded quota"},
		"any other resource":     {list("count/configmaps", "1"), list("count/configmaps", "1"), "configmaps", admission.Create, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}}, nil, "exceeded quota"},
		"a node port too many":   {list("services.nodeports", "0"), list("services.nodeports", "0"), "services", admission.Update, service(corev1.ServiceTypeNodePort), service(corev1.ServiceTypeClusterIP), "exceeded quota"},
		"an event is never one":  {list("count/events", "0"), list("count/events", "0"), "events", admission.Create, &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}}, nil, ""},
		"an updated pod is free": {list("pods", "1"), list("pods", "1"), "pods", admission.Update, pod(nil), pod(nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := enforce(t, test.hard, test.used, test.resource, test.operation, test.obj, test.old)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
