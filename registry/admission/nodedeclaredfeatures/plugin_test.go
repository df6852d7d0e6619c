package nodedeclaredfeatures

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func pod(cpu string, generation int64, node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Generation: generation},
		Spec: corev1.PodSpec{
			NodeName:   node,
			Resources:  &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}},
			Containers: []corev1.Container{{Name: "c"}},
		},
	}
}

func TestUpdatesNeedWhatTheNodeDeclares(t *testing.T) {
	plain := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "plain"}}
	able := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "able"}, Status: corev1.NodeStatus{
		DeclaredFeatures: []string{"InPlacePodLevelResourcesVerticalScaling"},
	}}
	factory := informers.NewSharedInformerFactory(fake.NewClientset(plain, able), 0)
	p := New(factory, version.MustParse("1.37.2")).(admission.ValidationInterface)
	stop := make(chan struct{})
	defer factory.Shutdown()
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	for name, c := range map[string]struct {
		pod, old *corev1.Pod
		want     string
	}{
		"a node that declares it":      {pod("2", 2, "able"), pod("1", 1, "able"), ""},
		"a node that does not":         {pod("2", 2, "plain"), pod("1", 1, "plain"), `requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "plain"`},
		"no node yet":                  {pod("2", 2, ""), pod("1", 1, ""), ""},
		"nothing that needs a feature": {pod("1", 2, "plain"), pod("1", 1, "plain"), ""},
		"not the specification":        {pod("2", 1, "plain"), pod("1", 1, "plain"), ""},
		"a node that is gone":          {pod("2", 2, "gone"), pod("1", 1, "gone"), `looking up node "gone"`},
	} {
		a := admission.NewAttributesRecord(c.pod, c.old, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "ns", "p",
			schema.GroupVersionResource{Version: "v1", Resource: "pods"}, "resize", admission.Update, nil, false, nil)
		err := p.Validate(context.Background(), a, nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
