package cluster

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/coracle-k8s/coracle/proxy/dns"
)

func TestDNSServiceIsMadeOnce(t *testing.T) {
	service := dns.Service("10.96.0.10")
	taken := apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Service").GroupKind(), service.Name, nil)
	for name, test := range map[string]struct {
		before  []runtime.Object
		refusal error // of creating it
		creates int
		fails   bool
	}{
		"fresh cluster":                {nil, nil, 1, false},
		"restart":                      {[]runtime.Object{service}, taken, 0, false},
		"another has the address":      {nil, taken, 1, false},
		"made by another meanwhile":    {nil, apierrors.NewAlreadyExists(corev1.Resource("services"), service.Name), 1, false},
		"the storage fails for a time": {nil, errors.New("unreachable"), 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(test.before...)
			creates := 0
			client.PrependReactor("create", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
				creates++
				return test.refusal != nil, nil, test.refusal
			})
			if _, err := ensureDNSService(t.Context(), client, service); (err != nil) != test.fails {
				t.Errorf("error %v", err)
			}
			if creates != test.creates {
				t.Errorf("created %d times, want %d", creates, test.creates)
			}
		})
	}
}
