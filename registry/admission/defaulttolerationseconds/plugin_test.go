package defaulttolerationseconds

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTolerate(t *testing.T) {
	for name, test := range map[string]struct {
		given []corev1.Toleration
		added []string
	}{
		"nothing":           {nil, []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable}},
		"everything":        {[]corev1.Toleration{{Operator: corev1.TolerationOpExists}}, nil},
		"one of them":       {[]corev1.Toleration{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}}, []string{corev1.TaintNodeUnreachable}},
		"one of any effect": {[]corev1.Toleration{{Key: corev1.TaintNodeUnreachable}}, []string{corev1.TaintNodeNotReady}},
		"another effect":    {[]corev1.Toleration{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}}, []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable}},
	} {
		got := tolerate(test.given)[len(test.given):]
		if len(got) != len(test.added) {
			t.Errorf("%s: added %v", name, got)
			continue
		}
		for i, key := range test.added {
			if got[i].Key != key || *got[i].TolerationSeconds != 300 || got[i].Effect != corev1.TaintEffectNoExecute {
				t.Errorf("%s: added %v", name, got[i])
			}
		}
	}
}
