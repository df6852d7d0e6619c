package controllers_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestServiceCIDRStaysWhileServicesHaveItsAddresses(t *testing.T) {
	ns := namespace(t)
	cidr := &networkingv1.ServiceCIDR{
		ObjectMeta: metav1.ObjectMeta{Name: "more"}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.77.0.0/24"}},
	}
	temporary(t, cidr)
	is := func(status metav1.ConditionStatus) func() error {
		return func() error {
			c := meta.FindStatusCondition(cidr.Status.Conditions, networkingv1.ServiceCIDRConditionReady)
			if c == nil || c.Status != status || len(cidr.Finalizers) != 1 {
				return fmt.Errorf("finalizers %v, status %v", cidr.Finalizers, cidr.Status)
			}
			return nil
		}
	}
	eventually(t, cidr, is(metav1.ConditionTrue))
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "s"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.77.0.7", Ports: []corev1.ServicePort{{Port: 80}}},
	}
	var refusal error
	if err := poll(t, func(ctx context.Context) bool { // the server itself may learn of the range a little later
		refusal = admin.Create(ctx, service)
		return refusal == nil
	}); err != nil {
		t.Fatal(refusal)
	}
	if err := admin.Delete(t.Context(), cidr); err != nil {
		t.Fatal(err)
	}
	eventually(t, cidr, is(metav1.ConditionFalse))
	if err := admin.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	gone(t, cidr)
}
