package dra

import (
	"testing"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"DeviceClass": recorded.Of(nil, func(c *resourcev1.DeviceClass) field.ErrorList {
			return dra.ValidateDeviceClass(c, nil, checkSelector)
		}, func(c, old *resourcev1.DeviceClass) field.ErrorList {
			return dra.ValidateDeviceClass(c, old, checkSelector)
		}),
		"ResourceClaim": recorded.Of(dra.DefaultResourceClaim, func(c *resourcev1.ResourceClaim) field.ErrorList {
			return dra.ValidateClaim(c, checkSelector)
		}, dra.ValidateClaimUpdate),
		"ResourceClaimTemplate": recorded.Of(dra.DefaultResourceClaimTemplate, func(c *resourcev1.ResourceClaimTemplate) field.ErrorList {
			return dra.ValidateClaimTemplate(c, checkSelector)
		}, func(c, old *resourcev1.ResourceClaimTemplate) field.ErrorList {
			return dra.ValidateClaimTemplateUpdate(c, old, checkSelector)
		}),
		"ResourceSlice": recorded.Of(func(s *resourcev1.ResourceSlice) {
			dra.DefaultResourceSlice(s, metav1.Time{})
			feature.Drop(nil, dra.GatedSlice(), s, nil)
		}, func(s *resourcev1.ResourceSlice) field.ErrorList { return dra.ValidateSlice(s, nil) }, dra.ValidateSlice),
	})
}
