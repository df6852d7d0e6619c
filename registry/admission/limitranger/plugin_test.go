package limitranger

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
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

func limitRange(items ...corev1.LimitRangeItem) *corev1.LimitRange {
	return &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "limits"}, Spec: corev1.LimitRangeSpec{Limits: items}}
}

func attributes(obj, old runtime.Object, res, sub string, operation admission.Operation) admission.Attributes {
	return admission.NewAttributesRecord(obj, old, schema.GroupVersionKind{Version: "v1", Kind: "Any"}, "ns", "n",
		schema.GroupVersionResource{Version: "v1", Resource: res}, sub, operation, nil, false, nil)
}

func pod(requests, limits corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits}}}}}
}

func TestDefaults(t *testing.T) {
	p := pod(list("cpu", "2"), nil)
	applyDefaults(limitRange(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer,
		DefaultRequest: list("cpu", "1", "memory", "1Gi"), Default: list("memory", "2Gi", "cpu", "4")}), p)
	r := p.Spec.Containers[0].Resources
	if r.Requests.Cpu().String() != "2" || r.Requests.Memory().String() != "1Gi" || r.Limits.Cpu().String() != "4" || r.Limits.Memory().String() != "2Gi" {
		t.Errorf("resources %v", r)
	}
	if want := "LimitRanger plugin set: memory request for container c; cpu, memory limit for container c"; p.Annotations[annotation] != want {
		t.Errorf("annotation %q, want %q", p.Annotations[annotation], want)
	}
}

func TestClaimsOlderThanTheirLimitsCanBeUpdated(t *testing.T) {
	claim := func(size, label string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"l": label}},
			Spec:       corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: list("storage", size)}},
		}
	}
	for size, asked := range map[string]bool{"5Gi": false, "6Gi": true} {
		a := attributes(claim(size, "new"), claim("5Gi", "old"), "persistentvolumeclaims", "", admission.Update)
		if concerns(a) != asked {
			t.Errorf("from 5Gi to %s: the limits are asked: %v", size, !asked)
		}
	}
}

func TestCheck(t *testing.T) {
	container, whole, claim := corev1.LimitTypeContainer, corev1.LimitTypePod, corev1.LimitTypePersistentVolumeClaim
	storage := func(size string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: list("storage", size)}}}
	}
	for name, test := range map[string]struct {
		item corev1.LimitRangeItem
		obj  runtime.Object
		want string
	}{
		"enough":            {corev1.LimitRangeItem{Type: container, Min: list("cpu", "1")}, pod(list("cpu", "1"), nil), ""},
		"too little":        {corev1.LimitRangeItem{Type: container, Min: list("cpu", "1")}, pod(list("cpu", "999m"), nil), "minimum cpu usage per Container is 1, but request is 999m"},
		"too little limit":  {corev1.LimitRangeItem{Type: container, Min: list("cpu", "1")}, pod(list("cpu", "1"), list("cpu", "100m")), "minimum cpu usage per Container is 1, but limit is 100m"},
		"nothing requested": {corev1.LimitRangeItem{Type: container, Min: list("cpu", "1")}, pod(nil, nil), "minimum cpu usage per Container is 1.  No request is specified"},
		"no limit":          {corev1.LimitRangeItem{Type: container, Max: list("cpu", "1")}, pod(list("cpu", "1"), nil), "maximum cpu usage per Container is 1.  No limit is specified"},
		"too high a limit":  {corev1.LimitRangeItem{Type: container, Max: list("cpu", "1")}, pod(nil, list("cpu", "1001m")), "maximum cpu usage per Container is 1, but limit is 1001m"},
		"a fair ratio":      {corev1.LimitRangeItem{Type: container, MaxLimitRequestRatio: list("cpu", "2")}, pod(list("cpu", "1"), list("cpu", "2")), ""},
		"too high a ratio":  {corev1.LimitRangeItem{Type: container, MaxLimitRequestRatio: list("cpu", "1500m")}, pod(list("cpu", "1"), list("cpu", "2")), "cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000"},
		"a pod's sum":       {corev1.LimitRangeItem{Type: whole, Max: list("memory", "1Gi")}, pod(nil, list("memory", "2Gi")), "maximum memory usage per Pod is 1Gi, but limit is 2Gi"},
		"a small claim":     {corev1.LimitRangeItem{Type: claim, Min: list("storage", "1Gi")}, storage("1Mi"), "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"},
		"a large claim":     {corev1.LimitRangeItem{Type: claim, Max: list("storage", "1Gi")}, storage("2Gi"), "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"},
		"a claim is no pod": {corev1.LimitRangeItem{Type: whole, Max: list("storage", "1Gi")}, storage("2Gi"), ""},
	} {
		err := check(limitRange(test.item), attributes(test.obj, nil, "any", "", admission.Create))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestConcerns(t *testing.T) {
	going := pod(nil, nil)
	going.DeletionTimestamp = &metav1.Time{}
	for name, test := range map[string]struct {
		a    admission.Attributes
		want bool
	}{
		"a new pod":        {attributes(pod(nil, nil), nil, "pods", "", admission.Create), true},
		"an updated pod":   {attributes(pod(nil, nil), pod(nil, nil), "pods", "", admission.Update), false},
		"a resized pod":    {attributes(pod(nil, nil), pod(nil, nil), "pods", "resize", admission.Update), true},
		"a pod on its way": {attributes(pod(nil, nil), going, "pods", "resize", admission.Update), false},
	} {
		if got := concerns(test.a); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOnlyTheNamespacesRangesApply(t *testing.T) {
	own := limitRange(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: list("memory", "1Gi")})
	elsewhere := limitRange(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: list("cpu", "1")})
	elsewhere.Namespace = "other"
	factory := informers.NewSharedInformerFactory(fake.NewClientset(own, elsewhere), 0)
	p := New(factory).(admission.MutationInterface)
	stop := make(chan struct{})
	defer factory.Shutdown()
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	obj := pod(nil, nil)
	err := p.Admit(context.Background(), attributes(obj, nil, "pods", "", admission.Create), nil)
	if limits := obj.Spec.Containers[0].Resources.Limits; err != nil || len(limits) != 1 || limits.Memory().String() != "1Gi" {
		t.Errorf("error %v, limits %v", err, limits)
	}
}
