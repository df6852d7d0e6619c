package eviction

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/status"
)

func podOf(name string, priority int32, request string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Name, p.UID = name, types.UID(name)
	p.Spec.Priority = &priority
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"memory": resource.MustParse(request)}}}}
	return p
}

func TestWhoGoesFirst(t *testing.T) {
	usage := map[types.UID]Usage{"within": {Memory: 50}, "above": {Memory: 150}, "far": {Memory: 500}, "needed": {Memory: 900}, "system": {Memory: 9000}}
	within, above, far := podOf("within", 0, "100"), podOf("above", 0, "100"), podOf("far", 0, "100")
	needed, system := podOf("needed", 10, "100"), podOf("system", systemCritical, "0")
	for _, tt := range []struct {
		name string
		pods []*corev1.Pod
		want string
	}{
		{"who uses too much", []*corev1.Pod{within, above}, "above"},
		{"who uses far too much", []*corev1.Pod{above, far, within}, "far"},
		{"the less important", []*corev1.Pod{needed, above}, "above"},
		{"the important one where the other keeps within its request", []*corev1.Pod{needed, within}, "needed"},
		{"never the system's", []*corev1.Pod{system}, ""},
	} {
		got := ""
		if p := pick(evictable(tt.pods), usage, corev1.ResourceMemory); p != nil {
			got = p.Name
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestOneAfterTheOther(t *testing.T) {
	left := Measures{Memory: Measure{50 << 20, 4 << 30}, Disk: Measure{50, 100}, Inodes: Measure{50, 100}}
	thresholds, err := ParseThresholds(Default)
	if err != nil {
		t.Fatal(err)
	}
	var evicted []types.UID
	var short []corev1.ResourceName
	e := New(Node{
		Thresholds: thresholds,
		Measure:    func() (Measures, error) { return left, nil },
		Pods:       func() []*corev1.Pod { return []*corev1.Pod{podOf("a", 0, "0"), podOf("b", 0, "100")} },
		Usage:      func(context.Context) (map[types.UID]Usage, error) { return map[types.UID]Usage{"a": {Memory: 9}}, nil },
		Short:      func(of corev1.ResourceName) { short = append(short, of) },
		Evict: func(uid types.UID, v status.Verdict) {
			evicted = append(evicted, uid)
			if v.Reason != "Evicted" || !strings.HasSuffix(v.Message, ". ") {
				t.Errorf("got %+v", v)
			}
		},
	})
	look := func(at time.Time) {
		t.Helper()
		if err := e.look(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	look(now)
	look(now.Add(10 * time.Second))
	if len(evicted) != 1 || evicted[0] != "a" {
		t.Fatalf("evicted %v at once", evicted)
	}
	if memory, disk := e.Pressure(corev1.NodeMemoryPressure), e.Pressure(corev1.NodeDiskPressure); !memory || disk {
		t.Errorf("pressure: memory %v, disk %v", memory, disk)
	}
	look(now.Add(40 * time.Second))
	if len(evicted) != 2 {
		t.Fatalf("evicted %v while memory stays short", evicted)
	}
	if len(short) != 1 || short[0] != corev1.ResourceMemory {
		t.Errorf("told %v, want once that memory is short", short)
	}
	left.Memory.Available = 1 << 30
	look(now.Add(80 * time.Second))
	if len(evicted) != 2 {
		t.Errorf("evicted %v though there is memory again", evicted)
	}
}

func TestPressureStaysForTheTransition(t *testing.T) {
	thresholds, err := ParseThresholds(Default)
	if err != nil {
		t.Fatal(err)
	}
	for set, lasts := range map[time.Duration]time.Duration{0: 5 * time.Minute, 20 * time.Second: 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			left := Measures{Memory: Measure{1, 4 << 30}}
			e := New(Node{
				Thresholds: thresholds, Transition: set, Measure: func() (Measures, error) { return left, nil },
				Pods:  func() []*corev1.Pod { return nil },
				Usage: func(context.Context) (map[types.UID]Usage, error) { return nil, nil },
			})
			look := func() {
				if err := e.look(t.Context(), time.Now()); err != nil {
					t.Error(err)
				}
			}
			look()
			left.Memory.Available = 1 << 30
			time.Sleep(lasts - time.Second)
			if look(); !e.Pressure(corev1.NodeMemoryPressure) {
				t.Errorf("with %s, no pressure any more after %s", set, lasts-time.Second)
			}
			time.Sleep(time.Second)
			if look(); e.Pressure(corev1.NodeMemoryPressure) {
				t.Errorf("with %s, pressure still after %s", set, lasts)
			}
		})
	}
}

func TestThresholds(t *testing.T) {
	m := Measures{
		Memory: Measure{200 << 20, 1 << 30}, Disk: Measure{10 << 30, 200 << 30}, Inodes: Measure{},
		Images: Measure{1 << 30, 10 << 30}, ImageInodes: Measure{1024, 4096}, PIDs: Measure{500, 32768},
	}
	for text, want := range map[string]string{
		Default:                    "ephemeral-storage 10Gi of 20Gi",
		"nodefs.available<1Gi":     "",
		"nodefs.available<10Gi":    "",
		"nodefs.available<10241Mi": "ephemeral-storage 10Gi of 10241Mi",
		"nodefs.available<5.5%":    "ephemeral-storage 10Gi of 11Gi",
		"nodefs.available<0%":      "",
		"memory.available<25%":     "memory 200Mi of 256Mi",
		"nodefs.inodesFree<99%":    "",
		"imagefs.available<15%":    "ephemeral-storage 1Gi of 1536Mi",
		"imagefs.inodesFree<50%":   "inodes 1024 of 2048",
		"pid.available<10%":        "pids 500 of 3276",
		"pid.available<1k":         "pids 500 of 1k",
		"pid.available<1k,imagefs.available<5%,memory.available<1Gi":     "memory 200Mi of 1Gi, pids 500 of 1k",
		"memory.available<1Gi, nodefs.inodesFree<5%,nodefs.available<6%": "memory 200Mi of 1Gi, ephemeral-storage 10Gi of 12Gi",
	} {
		thresholds, err := ParseThresholds(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got []string
		for _, n := range needsOf(m, thresholds) {
			got = append(got, fmt.Sprintf("%s %s of %s", n.of, n.available, n.threshold))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: short of %v, want %s", text, got, want)
		}
	}
	for _, wrong := range []string{
		"", "memory.available", "memory.available=1Gi", "memory.available<lots", "memory.available<-1Gi", "nodefs.available<101%",
		"nodefs.available<NaN%", "nodefs.available<1%,nodefs.available<2%", "allocatableMemory.available<10",
	} {
		if got, err := ParseThresholds(wrong); err == nil {
			t.Errorf("%q is taken as %v", wrong, got)
		}
	}
}

func TestImagesHaveADefaultThresholdOnADiskOfTheirOwn(t *testing.T) {
	thresholds, err := ParseThresholds(Default)
	if err != nil {
		t.Fatal(err)
	}
	plenty, little := Measure{50, 100}, Measure{14, 100}
	for _, apart := range []bool{false, true} {
		m := Measures{Memory: Measure{1 << 30, 1 << 30}, Disk: plenty, Inodes: plenty, Images: little, ImageInodes: plenty, Apart: apart}
		if needs := needsOf(m, thresholds); len(needs) > 0 != apart {
			t.Errorf("apart %v: short of %v", apart, needs)
		}
	}
}
