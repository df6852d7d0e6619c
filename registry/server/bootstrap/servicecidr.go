package bootstrap

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ensureServiceCIDR makes the object that stands for the range of Service addresses that the server is configured with.
// One that says something else is left alone: to change the range is the administrator's.
func ensureServiceCIDR(ctx context.Context, c Config) error {
	client := c.Client.NetworkingV1().ServiceCIDRs()
	wanted := &networkingv1.ServiceCIDR{
		ObjectMeta: metav1.ObjectMeta{Name: serviceName},
		Spec:       networkingv1.ServiceCIDRSpec{CIDRs: []string{c.ServiceCIDR.String()}},
	}
	if err := keep(ctx, client, wanted, nil); err != nil {
		return err
	}
	stored, err := client.Get(ctx, serviceName, metav1.GetOptions{})
	if err != nil {
		return named(err, "reading", wanted)
	}
	same := len(stored.Spec.CIDRs) == 1 && stored.Spec.CIDRs[0] == wanted.Spec.CIDRs[0]
	if !same || stored.DeletionTimestamp != nil || meta.FindStatusCondition(stored.Status.Conditions, networkingv1.ServiceCIDRConditionReady) != nil {
		return nil
	}
	meta.SetStatusCondition(&stored.Status.Conditions, metav1.Condition{
		Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue, Message: "Kubernetes default Service CIDR is ready",
	})
	if _, err := client.UpdateStatus(ctx, stored, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("updating the status of ServiceCIDR %s: %w", serviceName, err)
	}
	return nil
}
