package networking

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"IPAddress": recorded.Of(nil, ValidateIPAddress, ValidateIPAddressUpdate),
		"Ingress":   recorded.Of(nil, ValidateIngress, ValidateIngressUpdate),
		"IngressClass": recorded.Of(DefaultIngressClass, ValidateIngressClass, func(c, old *networkingv1.IngressClass) field.ErrorList {
			return append(ValidateIngressClassUpdate(c, old), ValidateIngressClass(c)...)
		}),
		"NetworkPolicy": recorded.Of(DefaultNetworkPolicy, ValidateNetworkPolicy, ValidateNetworkPolicyUpdate),
		"ServiceCIDR":   recorded.Of(nil, ValidateServiceCIDR, ValidateServiceCIDRUpdate),
	})
}
