package core

import (
	"math"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestWhatContainersAreToldToHave(t *testing.T) {
	status := func(change func(*corev1.ContainerStatus)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			s := corev1.ContainerStatus{Name: p.Spec.Containers[0].Name}
			change(&s)
			p.Status.ContainerStatuses = []corev1.ContainerStatus{s}
		}
	}
	user := func(uid, gid int64) func(*corev1.Pod) {
		return status(func(s *corev1.ContainerStatus) {
			s.User = &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: uid, GID: gid, SupplementalGroups: []int64{gid}}}
		})
	}
	has := func(name corev1.ResourceName, health ...corev1.ResourceHealth) func(*corev1.Pod) {
		return status(func(s *corev1.ContainerStatus) {
			s.AllocatedResourcesStatus = []corev1.ResourceStatus{{Name: name, Resources: health}}
		})
	}
	extended := func(request, claim string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ExtendedResourceClaimStatus = &corev1.PodExtendedResourceClaimStatus{ResourceClaimName: claim, RequestMappings: []corev1.ContainerExtendedResourceRequest{
				{ContainerName: p.Spec.Containers[0].Name, ResourceName: "example.com/gpu", RequestName: request},
			}}
		}
	}
	both := func(all ...func(*corev1.Pod)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			for _, f := range all {
				f(p)
			}
		}
	}
	const at = "status.containerStatuses[0]"
	healthy := corev1.ResourceHealth{ResourceID: "a", Health: corev1.ResourceHealthStatusHealthy}
	for name, c := range map[string]struct {
		change func(*corev1.Pod)
		want   []string
	}{
		"users that no pod may ask for":  {user(math.MaxUint32, 1), nil},
		"users beyond":                   {user(math.MaxUint32+1, 1), []string{"FieldValueInvalid " + at + ".user.linux.uid"}},
		"negative users":                 {user(-1, 1), []string{"FieldValueInvalid " + at + ".user.linux.uid"}},
		"groups beyond":                  {user(1, math.MaxUint32), []string{"FieldValueInvalid " + at + ".user.linux.gid", "FieldValueInvalid " + at + ".user.linux.supplementalGroups[0]"}},
		"users on Windows":               {both(user(1, 1), func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }), []string{"FieldValueForbidden " + at + ".user.linux"}},
		"a request":                      {has("example.com/gpu", healthy), nil},
		"not requested":                  {has("example.com/other"), []string{"FieldValueInvalid " + at + ".allocatedResourcesStatus[0].name"}},
		"a claim":                        {has("claim:mine"), nil},
		"a request of a claim":           {has("claim:mine/request"), []string{"FieldValueInvalid " + at + ".allocatedResourcesStatus[0].name"}},
		"a claim for extended resources": {both(extended("r", "made"), has("claim:made/r")), nil},
		"another request of it":          {both(extended("r", "made"), has("claim:made/other")), []string{"FieldValueInvalid " + at + ".allocatedResourcesStatus[0].name"}},
		"strange health":                 {has("example.com/gpu", corev1.ResourceHealth{ResourceID: "a", Health: "Fine"}), []string{"FieldValueNotSupported " + at + ".allocatedResourcesStatus[0].resources[0].health"}},
		"one device twice":               {has("example.com/gpu", healthy, healthy), []string{"FieldValueDuplicate " + at + ".allocatedResourcesStatus[0].resources[1].resourceID"}},
		"a long message": {
			has("example.com/gpu", corev1.ResourceHealth{Health: corev1.ResourceHealthStatusUnknown, Message: new(strings.Repeat("x", 2000))}),
			[]string{"FieldValueTooLong " + at + ".allocatedResourcesStatus[0].resources[0].message"},
		},
		"ephemeral containers have none": {
			func(p *corev1.Pod) {
				p.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{AllocatedResourcesStatus: []corev1.ResourceStatus{{Name: "x"}}}}
			},
			[]string{"FieldValueForbidden status.ephemeralContainerStatuses[0].allocatedResourcesStatus"},
		},
		"a bad request for extended resources": {extended("-", "made"), []string{"FieldValueInvalid status.extendedResourceClaimStatus.requestName"}},
		"no claim for extended resources":      {extended("r", ""), []string{"FieldValueRequired status.extendedResourceClaimStatus.resourceClaimName"}},
	} {
		t.Run(name, func(t *testing.T) {
			old := newPod(func(p *corev1.Pod) {
				p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "mine", ResourceClaimName: new("c")}}
				p.Spec.Containers[0].Resources = corev1.ResourceRequirements{
					Limits: amounts("example.com/gpu", "1"), Claims: []corev1.ResourceClaim{{Name: "mine"}},
				}
			})
			p := old.DeepCopy()
			c.change(p)
			expect(t, ValidatePodStatusUpdate(p, old), c.want...)
		})
	}
}
