package pvcprotection

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: corev1.PodSpec{NodeName: "n", Volumes: []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}},
	}}}
	for _, f := range change {
		f(p)
	}
	return p
}

func TestClaimStaysWhileAPodMountsIt(t *testing.T) {
	ephemeral := func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "c", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}}}
	}
	for name, test := range map[string]struct {
		claim string
		pod   *corev1.Pod
		// unknown says that the cache has not heard of the Pod.
		unknown bool
		stays   bool
	}{
		"mounted":                           {"c", pod("p"), false, true},
		"mounted, which the cache will see": {"c", pod("p"), true, true},
		"made for a Pod":                    {"p-c", pod("p", ephemeral), true, true},
		"by one without a Node":             {"c", pod("p", func(p *corev1.Pod) { p.Spec.NodeName = "" }), false, false},
		"by one that is finished":           {"c", pod("p", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), false, false},
		"another claim":                     {"d", pod("p"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns", Name: test.claim, DeletionTimestamp: ptr.To(metav1.Now()), Finalizers: []string{finalizer},
			}}
			c := fake.NewClientBuilder().WithObjects(claim, test.pod).
				WithIndex(&corev1.Pod{}, byClaim, func(o client.Object) []string { return claimNames(o.(*corev1.Pod)) }).
				WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					if _, cached := list.(*corev1.PodList); cached && test.unknown {
						return nil
					}
					return c.List(ctx, list, opts...)
				}}).Build()
			if _, err := (&controller{client: c}).Reconcile(t.Context(), claim); err != nil {
				t.Fatal(err)
			}
			err := c.Get(t.Context(), client.ObjectKeyFromObject(claim), &corev1.PersistentVolumeClaim{})
			if stays := err == nil; stays != test.stays || client.IgnoreNotFound(err) != nil {
				t.Errorf("the claim stays: %v, %v; want %v", stays, err, test.stays)
			}
		})
	}
}
