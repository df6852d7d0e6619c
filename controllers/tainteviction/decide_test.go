package tainteviction

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func TestDecide(t *testing.T) {
	drives := func(key string) corev1.Taint { return corev1.Taint{Key: key, Effect: corev1.TaintEffectNoExecute} }
	bears := func(key string, seconds *int64) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, TolerationSeconds: seconds}
	}
	for name, test := range map[string]struct {
		taints      []corev1.Taint
		tolerations []corev1.Toleration
		want        time.Duration
	}{
		"no taint":                    {nil, nil, -1},
		"a taint that drives nobody":  {[]corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}}, nil, -1},
		"not tolerated":               {[]corev1.Taint{drives("a")}, nil, 0},
		"tolerated for good":          {[]corev1.Taint{drives("a")}, []corev1.Toleration{bears("a", nil)}, -1},
		"tolerated for a time":        {[]corev1.Taint{drives("a")}, []corev1.Toleration{bears("a", ptr.To[int64](30))}, 30 * time.Second},
		"the shortest time counts":    {[]corev1.Taint{drives("a"), drives("b")}, []corev1.Toleration{bears("a", ptr.To[int64](30)), bears("b", ptr.To[int64](5))}, 5 * time.Second},
		"one of two is not tolerated": {[]corev1.Taint{drives("a"), drives("b")}, []corev1.Toleration{bears("a", nil)}, 0},
		"less than no time":           {[]corev1.Taint{drives("a")}, []corev1.Toleration{bears("a", ptr.To[int64](-1))}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decide(test.taints, test.tolerations); got != test.want {
				t.Errorf("may stay for %s, want %s", got, test.want)
			}
		})
	}
}
