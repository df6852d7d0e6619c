package resources

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestMemoryQoS(t *testing.T) {
	tiered, throttling, both := MemoryQoS{Tiered: true}, MemoryQoS{Throttling: 0.9}, MemoryQoS{Tiered: true, Throttling: 0.5}
	guaranteed := corev1.ResourceRequirements{Requests: list("1", "64Mi"), Limits: list("1", "64Mi")}
	burstable := corev1.ResourceRequirements{Requests: list("", "64Mi"), Limits: list("", "128Mi")}
	unlimited := corev1.ResourceRequirements{Requests: list("", "64Mi")}
	whole := podOf(unlimited)
	whole.Spec.Resources = &corev1.ResourceRequirements{Requests: list("", "64Mi"), Limits: list("", "128Mi")}
	const allocatable = 1 << 30
	nothing := map[string]string{"memory.min": "0", "memory.low": "0"}
	with := func(name, value string) map[string]string {
		out := maps.Clone(nothing)
		out[name] = value
		return out
	}
	for name, c := range map[string]struct {
		qos            MemoryQoS
		pod            *corev1.Pod
		container, own map[string]string
	}{
		"left to the kernel":                {MemoryQoS{}, podOf(burstable), nothing, nil},
		"guaranteed":                        {tiered, podOf(guaranteed), map[string]string{"memory.min": "67108864"}, map[string]string{"memory.min": "67108864"}},
		"burstable":                         {tiered, podOf(burstable), map[string]string{"memory.low": "67108864"}, map[string]string{"memory.low": "67108864"}},
		"best effort":                       {tiered, podOf(corev1.ResourceRequirements{}), nothing, nil},
		"one of two asks for nothing":       {tiered, podOf(corev1.ResourceRequirements{}, burstable), nothing, map[string]string{"memory.low": "67108864"}},
		"throttled below its limit":         {throttling, podOf(burstable), with("memory.high", "127504384"), nil},
		"guaranteed is not throttled":       {throttling, podOf(guaranteed), nothing, nil},
		"throttled below the node's memory": {throttling, podOf(unlimited), with("memory.high", "973078528"), nil},
		"best effort is throttled, too":     {throttling, podOf(corev1.ResourceRequirements{}), with("memory.high", "966365184"), nil},
		"kept and throttled":                {both, podOf(burstable), map[string]string{"memory.low": "67108864", "memory.high": "100663296"}, map[string]string{"memory.low": "67108864"}},
		"of the Pod": {both, whole, map[string]string{"memory.low": "67108864"},
			map[string]string{"memory.low": "67108864", "memory.high": "100663296"}},
	} {
		if got := c.qos.container(c.pod, &c.pod.Spec.Containers[0], allocatable); !maps.Equal(got, c.container) {
			t.Errorf("%s: the container has %v, want %v", name, got, c.container)
		}
		if got := c.qos.pod(c.pod); !maps.Equal(got, c.own) {
			t.Errorf("%s: the Pod has %v, want %v", name, got, c.own)
		}
	}
}

func TestMemoryAboveAllPods(t *testing.T) {
	all, burstable := MemoryQoS{Tiered: true}.above(100, 20)
	if !maps.Equal(all, map[string]string{"memory.min": "120", "memory.low": "20"}) || !maps.Equal(burstable, map[string]string{"memory.low": "20"}) {
		t.Errorf("got %v, %v", all, burstable)
	}
	all, burstable = MemoryQoS{}.above(100, 20)
	if !maps.Equal(all, map[string]string{"memory.min": "0", "memory.low": "0"}) || !maps.Equal(burstable, map[string]string{"memory.low": "0"}) {
		t.Errorf("left to the kernel: got %v, %v", all, burstable)
	}
}

func TestParseMemoryQoS(t *testing.T) {
	for _, c := range []struct {
		policy string
		factor float64
		want   MemoryQoS
		fails  bool
	}{
		{"", 0, MemoryQoS{}, false}, {"None", 0, MemoryQoS{}, false}, {"TieredReservation", 0.9, MemoryQoS{Tiered: true, Throttling: 0.9}, false},
		{"tiered", 0, MemoryQoS{}, true}, {"None", -0.1, MemoryQoS{}, true}, {"None", 1.1, MemoryQoS{}, true},
	} {
		if got, err := ParseMemoryQoS(c.policy, c.factor); got != c.want || (err != nil) != c.fails {
			t.Errorf("%q, %v: got %v, %v", c.policy, c.factor, got, err)
		}
	}
}
