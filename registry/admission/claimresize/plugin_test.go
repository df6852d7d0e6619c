package claimresize

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func claim(size, class string, phase corev1.PersistentVolumeClaimPhase) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: phase}}
	c.Spec.StorageClassName = &class
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	return c
}

func TestCheck(t *testing.T) {
	expandable := func(class string) bool { return class == "elastic" }
	for name, test := range map[string]struct {
		new, old *corev1.PersistentVolumeClaim
		ok       bool
	}{
		"the same size": {claim("1Gi", "fixed", corev1.ClaimBound), claim("1Gi", "fixed", corev1.ClaimBound), true},
		"smaller":       {claim("1Gi", "fixed", corev1.ClaimBound), claim("2Gi", "fixed", corev1.ClaimBound), true},
		"larger":        {claim("2Gi", "elastic", corev1.ClaimBound), claim("1Gi", "elastic", corev1.ClaimBound), true},
		"not bound":     {claim("2Gi", "elastic", corev1.ClaimPending), claim("1Gi", "elastic", corev1.ClaimPending), false},
		"a fixed class": {claim("2Gi", "fixed", corev1.ClaimBound), claim("1Gi", "fixed", corev1.ClaimBound), false},
		"no class":      {claim("2Gi", "", corev1.ClaimBound), claim("1Gi", "", corev1.ClaimBound), false},
		"another class": {claim("2Gi", "elastic", corev1.ClaimBound), claim("1Gi", "fixed", corev1.ClaimBound), false},
	} {
		if err := check(test.new, test.old, expandable); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
