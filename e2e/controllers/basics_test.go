package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func deployment(namespace string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "one"}}},
			},
		},
	}
}

func TestNamespaceGetsAccountAndCertificate(t *testing.T) {
	ns := namespace(t)
	published := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "kube-root-ca.crt"}}
	eventually(t, published, func() error {
		if !strings.Contains(published.Data["ca.crt"], "BEGIN CERTIFICATE") {
			return fmt.Errorf("data %v", published.Data)
		}
		return nil
	})
	first := published.UID
	if err := admin.Delete(t.Context(), published); err != nil {
		t.Fatal(err)
	}
	eventually(t, published, func() error {
		if published.UID == first {
			return fmt.Errorf("not made again")
		}
		return nil
	})
}

func TestDeploymentRollsOut(t *testing.T) {
	ns := namespace(t)
	d := deployment(ns, 3)
	create(t, d)
	complete := func() error {
		runPods(t, ns)
		s := d.Status
		if s.ObservedGeneration != d.Generation || s.UpdatedReplicas != *d.Spec.Replicas || s.AvailableReplicas != *d.Spec.Replicas || s.Replicas != *d.Spec.Replicas {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	}
	eventually(t, d, complete)
	if got := d.Annotations["deployment.kubernetes.io/revision"]; got != "1" {
		t.Errorf("revision %q, want 1", got)
	}

	change(t, d, update, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "two" })
	eventually(t, d, complete)
	if got := d.Annotations["deployment.kubernetes.io/revision"]; got != "2" {
		t.Errorf("revision %q, want 2", got)
	}
	sets := list(t, &appsv1.ReplicaSetList{}, ns)
	if len(sets.Items) != 2 {
		t.Errorf("%d replica sets, want 2", len(sets.Items))
	}
	change(t, d, update, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](20) })
	eventually(t, d, complete)
	if n := runPods(t, ns); n != 20 {
		t.Errorf("%d pods, want 20", n)
	}
}

func TestDeploymentDeletedInTheForegroundGoesLast(t *testing.T) {
	ns := namespace(t)
	d := deployment(ns, 2)
	create(t, d)
	eventually(t, d, func() error {
		if runPods(t, ns) != 2 {
			return fmt.Errorf("no pods yet")
		}
		return nil
	})
	if err := admin.Delete(t.Context(), d, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	gone(t, d)
	if sets := list(t, &appsv1.ReplicaSetList{}, ns); len(sets.Items) > 0 {
		t.Errorf("replica sets %v outlived their deployment", sets.Items)
	}
	if pods := list(t, &corev1.PodList{}, ns); len(pods.Items) > 0 {
		t.Errorf("pods %v outlived their deployment", pods.Items)
	}
}

func TestReplicaSetSurvivesAsOrphanAndIsAdopted(t *testing.T) {
	ns := namespace(t)
	d := deployment(ns, 2)
	create(t, d)
	eventually(t, d, func() error {
		if d.Status.Replicas != 2 {
			return fmt.Errorf("status %+v", d.Status)
		}
		return nil
	})
	if err := admin.Delete(t.Context(), d, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	gone(t, d)
	sets := list(t, &appsv1.ReplicaSetList{}, ns)
	if len(sets.Items) != 1 || len(sets.Items[0].OwnerReferences) != 0 {
		t.Fatalf("replica sets %v, want one without owner", sets.Items)
	}
	orphan := &sets.Items[0]
	again := deployment(ns, 2)
	create(t, again)
	eventually(t, orphan, func() error {
		if !metav1.IsControlledBy(orphan, again) {
			return fmt.Errorf("owners %v", orphan.OwnerReferences)
		}
		return nil
	})
	if sets := list(t, &appsv1.ReplicaSetList{}, ns); len(sets.Items) != 1 {
		t.Errorf("%d replica sets, want the adopted one alone", len(sets.Items))
	}
}

func TestNamespaceIsEmptiedAndGoes(t *testing.T) {
	ns := namespace(t)
	create(t, deployment(ns, 2))
	create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "c", Finalizers: []string{"example.com/hold"}}})
	doomed := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if err := admin.Delete(t.Context(), doomed); err != nil {
		t.Fatal(err)
	}
	eventually(t, doomed, func() error {
		runPods(t, ns)
		for _, c := range doomed.Status.Conditions {
			if c.Type == corev1.NamespaceFinalizersRemaining && strings.Contains(c.Message, "example.com/hold in 1 resource instances") {
				return nil
			}
		}
		return fmt.Errorf("conditions %v", doomed.Status.Conditions)
	})
	change(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "c"}}, update, func(c *corev1.ConfigMap) { c.Finalizers = nil })
	gone(t, doomed)
}

func TestServiceListsItsReadyPods(t *testing.T) {
	ns := namespace(t)
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	create(t, service)
	create(t, deployment(ns, 2))
	endpoints := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"}}
	eventually(t, endpoints, func() error {
		runPods(t, ns)
		if len(endpoints.Subsets) != 1 || len(endpoints.Subsets[0].Addresses) != 2 || endpoints.Subsets[0].Ports[0].Port != 80 {
			return fmt.Errorf("subsets %v", endpoints.Subsets)
		}
		return nil
	})
	slices := list(t, &discoveryv1.EndpointSliceList{}, ns)
	if len(slices.Items) != 1 {
		t.Fatalf("slices %v, want one", slices.Items)
	}
	slice := &slices.Items[0]
	eventually(t, slice, func() error {
		if len(slice.Endpoints) != 2 {
			return fmt.Errorf("endpoints %v", slice.Endpoints)
		}
		return nil
	})
	if err := admin.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	gone(t, endpoints)
	gone(t, slice)
}
