package dra

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestNodesOfDevices(t *testing.T) {
	bad := &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: "Like"}},
	}}}
	operator := "nodeSelector.nodeSelectorTerms[0].matchExpressions[0].operator"
	if diff := cmp.Diff([]string{"spec." + operator}, paths(validateWhere(&resourcev1.ResourceSliceSpec{NodeSelector: bad}))); diff != "" {
		t.Error(diff)
	}
	device := &resourcev1.Device{NodeSelector: bad}
	if diff := cmp.Diff([]string{"d." + operator}, paths(validateNodes(device, true, field.NewPath("d")))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"d"}, paths(validateNodes(device, false, field.NewPath("d")))); diff != "" {
		t.Error(diff)
	}
}
