package pvcprotection

import (
	"context"
	"fmt"
	"testing"
	"time"

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
				WithIndex(&corev1.Pod{}, ByClaim, func(o client.Object) []string { return claimNames(o.(*corev1.Pod)) }).
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

func TestUnusedClaimsSaySinceWhen(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", Finalizers: []string{finalizer}}}
	c := fake.NewClientBuilder().WithObjects(claim).WithStatusSubresource(claim, &corev1.Pod{}).
		WithIndex(&corev1.Pod{}, ByClaim, func(o client.Object) []string { return claimNames(o.(*corev1.Pod)) }).Build()
	r := &controller{client: c, now: func() time.Time { return now }}
	look := func(what, want string) {
		t.Helper()
		for range 2 { // the second time, there is nothing to write
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(claim), claim); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Reconcile(t.Context(), claim); err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Second)
		}
		got := ""
		for _, condition := range claim.Status.Conditions {
			got += fmt.Sprint(condition.Type, " ", condition.Status, " ", condition.Reason, " ", condition.LastTransitionTime.UTC().Second())
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	look("not bound", "")
	claim.Status.Phase = corev1.ClaimBound
	if err := c.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	look("bound", "Unused True NoPodsUsingPVC 7")
	p := pod("p", func(p *corev1.Pod) { p.Spec.NodeName = "" })
	if err := c.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	look("in use", "Unused False PodUsingPVC 9")
	p.Status.Phase = corev1.PodFailed
	if err := c.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	look("of a finished Pod", "Unused True NoPodsUsingPVC 11")
}
