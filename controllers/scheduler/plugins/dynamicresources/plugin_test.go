package dynamicresources

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func TestPodsWithoutTheirDevicesGoNowhere(t *testing.T) {
	gpu := opinions.Pod("gpu", func(p *corev1.Pod) {
		p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimTemplateName: ptr.To("gpu")}}
	})
	opinions.Expect(t, opinions.Filter(t, Plugin{}, gpu, opinions.Node("a", "")), "all: !"+noDevices.String())
	opinions.Expect(t, opinions.Filter(t, Plugin{}, opinions.Pod("plain"), opinions.Node("a", "")), "ok")
}
