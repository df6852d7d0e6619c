package priority

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func class(name string, value int32, isDefault bool) *schedulingv1.PriorityClass {
	return &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Value: value, GlobalDefault: isDefault, PreemptionPolicy: new(corev1.PreemptNever)}
}

func with(t *testing.T, classes ...*schedulingv1.PriorityClass) priority {
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	for _, c := range classes {
		if err := factory.Scheduling().V1().PriorityClasses().Informer().GetIndexer().Add(c); err != nil {
			t.Fatal(err)
		}
	}
	return priority{factory.Scheduling().V1().PriorityClasses().Lister()}
}

func attributes(obj, old runtime.Object, operation admission.Operation) admission.Attributes {
	return admission.NewAttributesRecord(obj, old, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "ns", "n",
		schema.GroupVersionResource{Version: "v1", Resource: "pods"}, "", operation, nil, false, nil)
}

func TestPodGetsThePriorityOfItsClass(t *testing.T) {
	for name, test := range map[string]struct {
		classes  []*schedulingv1.PriorityClass
		spec     corev1.PodSpec
		refused  bool
		class    string
		priority int32
		policy   corev1.PreemptionPolicy
	}{
		"without any":       {priority: 0, policy: corev1.PreemptLowerPriority},
		"the default":       {classes: []*schedulingv1.PriorityClass{class("d", 7, true)}, class: "d", priority: 7, policy: corev1.PreemptNever},
		"the lower default": {classes: []*schedulingv1.PriorityClass{class("d", 7, true), class("e", 5, true)}, class: "e", priority: 5, policy: corev1.PreemptNever},
		"the named one":     {classes: []*schedulingv1.PriorityClass{class("d", 7, true), class("n", 9, false)}, spec: corev1.PodSpec{PriorityClassName: "n"}, class: "n", priority: 9, policy: corev1.PreemptNever},
		"a missing one":     {spec: corev1.PodSpec{PriorityClassName: "n"}, refused: true},
		"the same number":   {spec: corev1.PodSpec{Priority: new(int32(0))}, policy: corev1.PreemptLowerPriority},
		"another number":    {spec: corev1.PodSpec{Priority: new(int32(1))}, refused: true},
		"another policy":    {classes: []*schedulingv1.PriorityClass{class("d", 7, true)}, spec: corev1.PodSpec{PreemptionPolicy: new(corev1.PreemptLowerPriority)}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: test.spec}
			err := with(t, test.classes...).admit(context.Background(), attributes(pod, nil, admission.Create))
			if (err != nil) != test.refused {
				t.Fatalf("error %v", err)
			}
			if test.refused {
				return
			}
			if s := pod.Spec; s.PriorityClassName != test.class || *s.Priority != test.priority || *s.PreemptionPolicy != test.policy {
				t.Errorf("class %q, priority %d, policy %s", s.PriorityClassName, *s.Priority, *s.PreemptionPolicy)
			}
		})
	}
}

func TestUpdateKeepsPriority(t *testing.T) {
	old := &corev1.Pod{Spec: corev1.PodSpec{Priority: new(int32(3)), PreemptionPolicy: new(corev1.PreemptNever)}}
	pod := &corev1.Pod{}
	if err := with(t).admit(context.Background(), attributes(pod, old, admission.Update)); err != nil || *pod.Spec.Priority != 3 || *pod.Spec.PreemptionPolicy != corev1.PreemptNever {
		t.Errorf("error %v, spec %+v", err, pod.Spec)
	}
}

func TestOneDefaultOnly(t *testing.T) {
	p := with(t, class("d", 7, true))
	for name, test := range map[string]struct {
		class     *schedulingv1.PriorityClass
		operation admission.Operation
		ok        bool
	}{
		"a second":           {class("e", 1, true), admission.Create, false},
		"one that is none":   {class("e", 1, false), admission.Create, true},
		"the default itself": {class("d", 7, true), admission.Update, true},
		"another becomes it": {class("e", 1, true), admission.Update, false},
	} {
		if err := p.validate(context.Background(), attributes(test.class, nil, test.operation)); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
