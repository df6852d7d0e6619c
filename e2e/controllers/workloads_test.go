package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "one"}}},
	}
}

func selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
}

func TestJobRunsUntilEnoughPodsSucceeded(t *testing.T) {
	ns := namespace(t)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "j"},
		Spec:       batchv1.JobSpec{Completions: ptr.To[int32](3), Parallelism: ptr.To[int32](2), Template: template()},
	}
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	create(t, job)
	eventually(t, job, func() error {
		endPods(t, ns, corev1.PodSucceeded)
		if job.Status.Succeeded != 3 || job.Status.CompletionTime == nil {
			return fmt.Errorf("status %+v", job.Status)
		}
		return nil
	})
	for _, pod := range list(t, &corev1.PodList{}, ns).Items {
		if len(pod.Finalizers) > 0 {
			t.Errorf("pod %s still has %v", pod.Name, pod.Finalizers)
		}
	}
}

func TestJobGivesUpAfterTooManyFailures(t *testing.T) {
	ns := namespace(t)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "j"},
		Spec:       batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), Template: template()},
	}
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	create(t, job)
	eventually(t, job, func() error {
		endPods(t, ns, corev1.PodFailed)
		for _, c := range job.Status.Conditions {
			if c.Type == batchv1.JobFailed && c.Reason == batchv1.JobReasonBackoffLimitExceeded {
				return nil
			}
		}
		return fmt.Errorf("conditions %v", job.Status.Conditions)
	})
}

// endPods binds the Pods of a namespace and ends them.
func endPods(t *testing.T, namespace string, phase corev1.PodPhase) {
	t.Helper()
	pods := list(t, &corev1.PodList{}, namespace)
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName == "" {
			bind(t, pod, "worker")
		} else if pod.Status.Phase != phase {
			pod.Status.Phase = phase
			_ = admin.Status().Update(t.Context(), pod)
		}
	}
}

func TestStatefulSetStartsInOrderAndKeepsNames(t *testing.T) {
	ns := namespace(t)
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "db"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: ptr.To[int32](3), ServiceName: "db", Selector: selector(), Template: template(),
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
				ObjectMeta: metav1.ObjectMeta{Name: "data"},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
					Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: quantity("1Gi")}},
				},
			}},
		},
	}
	create(t, set)
	whole := func() error {
		runPods(t, ns)
		if s := set.Status; s.AvailableReplicas != 3 || s.UpdatedReplicas != 3 || s.CurrentRevision != s.UpdateRevision || s.ObservedGeneration != set.Generation {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	}
	eventually(t, set, whole)
	for i := range 3 {
		get(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprintf("db-%d", i)}})
		get(t, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprintf("data-db-%d", i)}})
	}
	before := set.Status.UpdateRevision
	change(t, set, update, func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "two" })
	eventually(t, set, func() error {
		if set.Status.UpdateRevision == before {
			return fmt.Errorf("revision %s", before)
		}
		return whole()
	})
	for _, pod := range list(t, &corev1.PodList{}, ns).Items {
		if pod.Spec.Containers[0].Image != "two" {
			t.Errorf("pod %s runs %s", pod.Name, pod.Spec.Containers[0].Image)
		}
	}
}

func TestDaemonSetRunsOnMatchingNodes(t *testing.T) {
	ns := namespace(t)
	for _, name := range []string{"daemon-a", "daemon-b"} {
		temporary(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"daemons": ns}}})
	}
	set := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "d"},
		Spec:       appsv1.DaemonSetSpec{Selector: selector(), Template: template()},
	}
	set.Spec.Template.Spec.NodeSelector = map[string]string{"daemons": ns}
	// These Nodes are never ready.
	set.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	create(t, set)
	whole := func() error {
		daemonPods(t, ns)
		if s := set.Status; s.DesiredNumberScheduled != 2 || s.NumberAvailable != 2 || s.UpdatedNumberScheduled != 2 || s.ObservedGeneration != set.Generation {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	}
	eventually(t, set, whole)
	change(t, set, update, func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "two" })
	eventually(t, set, whole)
	if revisions := list(t, &appsv1.ControllerRevisionList{}, ns); len(revisions.Items) != 2 {
		t.Errorf("%d revisions, want 2", len(revisions.Items))
	}
}

// daemonPods binds Pods to the Nodes that they are meant for, and then runs them.
func daemonPods(t *testing.T, namespace string) {
	t.Helper()
	pods := list(t, &corev1.PodList{}, namespace)
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil {
			term := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
			bind(t, pod, term.MatchFields[0].Values[0])
		}
	}
	runPods(t, namespace)
}

func TestBudgetAllowsWhatCanBeSpared(t *testing.T) {
	ns := namespace(t)
	create(t, deployment(ns, 3))
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "b"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: selector(), MaxUnavailable: ptr.To(intstr.FromInt32(1))},
	}
	create(t, budget)
	eventually(t, budget, func() error {
		runPods(t, ns)
		if s := budget.Status; s.DisruptionsAllowed != 1 || s.ExpectedPods != 3 || s.DesiredHealthy != 2 {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
}

func TestCustomResourcesAreCollectedAndGoWithTheirNamespace(t *testing.T) {
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "things.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "things", Singular: "thing", Kind: "Thing", ListKind: "ThingList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: ptr.To(true)}},
			}},
		},
	}
	temporary(t, crd)
	eventually(t, crd, func() error {
		for _, c := range crd.Status.Conditions {
			if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("conditions %v", crd.Status.Conditions)
	})
	ns := namespace(t)
	owner := thing(ns, "owner")
	create(t, owner)
	dependent := thing(ns, "dependent")
	dependent.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Thing", Name: "owner", UID: owner.GetUID()}})
	create(t, dependent)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "dependent", OwnerReferences: dependent.GetOwnerReferences()}}
	create(t, config)
	if err := admin.Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	gone(t, dependent)
	gone(t, config)

	create(t, thing(ns, "last"))
	doomed := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if err := admin.Delete(t.Context(), doomed); err != nil {
		t.Fatal(err)
	}
	gone(t, doomed)
}

func thing(namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("example.com/v1")
	o.SetKind("Thing")
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func TestDependentOfAnAbsentOwnerIsCollected(t *testing.T) {
	ns := namespace(t)
	lost := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "lost", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: "never", UID: "00000000-0000-0000-0000-000000000000"},
	}}}
	create(t, lost)
	gone(t, lost)
}

func TestAggregatedRoleFollowsItsParts(t *testing.T) {
	view := &unstructured.Unstructured{}
	view.SetAPIVersion("rbac.authorization.k8s.io/v1")
	view.SetKind("ClusterRole")
	part := view.DeepCopy()
	view.SetName("view")
	part.SetName("things-view")
	part.SetLabels(map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"})
	part.Object["rules"] = []any{map[string]any{"apiGroups": []any{"example.com"}, "resources": []any{"things"}, "verbs": []any{"get"}}}
	create(t, part)
	includes := func() bool {
		rules, _, _ := unstructured.NestedSlice(view.Object, "rules")
		return strings.Contains(fmt.Sprint(rules), "example.com")
	}
	eventually(t, view, func() error {
		if !includes() {
			return fmt.Errorf("the new rule is missing")
		}
		return nil
	})
	if err := admin.Delete(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	eventually(t, view, func() error {
		if includes() {
			return fmt.Errorf("the rule is still there")
		}
		return nil
	})
}

func TestUserWrittenEndpointsAreMirrored(t *testing.T) {
	ns := namespace(t)
	create(t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "ext"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}})
	create(t, &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "ext"}, Subsets: []corev1.EndpointSubset{{
		Addresses: []corev1.EndpointAddress{{IP: "192.0.2.7"}}, Ports: []corev1.EndpointPort{{Port: 80, Protocol: corev1.ProtocolTCP}},
	}}})
	slices := &unstructured.UnstructuredList{}
	slices.SetAPIVersion("discovery.k8s.io/v1")
	slices.SetKind("EndpointSliceList")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "ext"}}
	eventually(t, service, func() error {
		list(t, slices, ns)
		if text := fmt.Sprint(slices.Items); !strings.Contains(text, "192.0.2.7") {
			return fmt.Errorf("slices %s", text)
		}
		return nil
	})
}
