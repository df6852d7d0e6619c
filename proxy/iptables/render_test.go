package iptables

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/internal/packets"
	"github.com/coracle-k8s/coracle/proxy/service"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestRenderedRules(t *testing.T) {
	snapshot := packets.World().Snapshot()
	input, stats := transaction(nil, renderAnew(snapshot))
	const golden = "testdata/world.rules"
	if *update {
		if err := os.WriteFile(golden, input, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(input) != string(want) {
		t.Errorf("rules differ from %s: run with -update and look at the difference", golden)
	}
	if stats.Written != stats.Chains || stats.Deleted != 0 {
		t.Errorf("stats %+v: nothing was there before", stats)
	}
}

func TestOnlyChangedChainsAreWritten(t *testing.T) {
	tracker := packets.Many(50, 3)
	before := renderAnew(tracker.Snapshot())
	if input, stats := transaction(texts(before), before); len(input) > 0 || stats.Written+stats.Deleted > 0 {
		t.Errorf("no change: %+v\n%s", stats, input)
	}
	tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: "service-27"})
	input, stats := transaction(texts(before), renderAnew(tracker.Snapshot()))
	if stats.Written != 1 || stats.Deleted != 1 {
		t.Errorf("a service less: %+v\n%s", stats, input)
	}
	if strings.Count(string(input), "-X ") != 1 || strings.Contains(string(input), "service-27") {
		t.Errorf("transaction:\n%s", input)
	}
}

func TestChainsOfOthersAreNotRead(t *testing.T) {
	known := map[chainKey]string{}
	parse("*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n:CORACLE-MARK - [0:0]\n-A PREROUTING -j CORACLE-SERVICES\n-A DOCKER -j RETURN\n-A CORACLE-MARK -j X\n-A CORACLE-MARK -j Y\nCOMMIT\n", "nat", known)
	if len(known) != 1 || known[chainKey{"nat", "CORACLE-MARK"}] != "-j X\n-j Y" {
		t.Errorf("known: %v", known)
	}
}

func TestNamesFitTheKernelsLimit(t *testing.T) {
	for _, chain := range renderAnew(packets.World().Snapshot()) {
		if len(chain.Name) > 28 {
			t.Errorf("%s has %d characters", chain.Name, len(chain.Name))
		}
	}
}

func TestChanceIsWhatTheKernelPrints(t *testing.T) {
	for of, want := range map[int]string{2: "0.50000000000", 3: "0.33333333349", 7: "0.14285714272"} {
		if got := chance(of); got != want {
			t.Errorf("1 of %d: %s, want %s", of, got, want)
		}
	}
}

func TestServicesOfOthersLeaveNoRules(t *testing.T) {
	tracker, memo := service.NewTracker("here"), map[types.NamespacedName]*part{}
	set := func(address string, labels map[string]string) {
		s := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: address, ClusterIPs: []string{address},
			Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80}}}}
		s.Namespace, s.Name, s.Labels = "ns", "name", labels
		tracker.SetService(s)
	}
	empty := render(tracker.Snapshot(), testNode(), memo)
	set("fd00::1", nil)
	if got := render(tracker.Snapshot(), testNode(), memo); !slices.Equal(got, empty) {
		t.Errorf("the other family: %v, want %v", got, empty)
	}
	set("10.96.0.1", nil)
	ours := render(tracker.Snapshot(), testNode(), memo)
	if slices.Equal(ours, empty) {
		t.Error("no rules for a service of ours")
	}
	set("10.96.0.1", map[string]string{"service.kubernetes.io/service-proxy-name": "theirs"})
	if got := render(tracker.Snapshot(), testNode(), memo); !slices.Equal(got, empty) {
		t.Errorf("another proxy's: %v, want %v", got, empty)
	}
	set("10.96.0.1", nil)
	if got := render(tracker.Snapshot(), testNode(), memo); !slices.Equal(got, ours) {
		t.Errorf("ours again: %v, want %v", got, ours)
	}
}

// BenchmarkFullRender folds and renders 1,000 Services with 10 endpoints each.
func BenchmarkFullRender(b *testing.B) {
	for b.Loop() {
		transaction(nil, renderAnew(packets.Many(1000, 10).Snapshot()))
	}
}

// BenchmarkOneChange renders what follows from the change of one Service among 1,000.
func BenchmarkOneChange(b *testing.B) {
	tracker := packets.Many(1000, 10)
	memo := map[types.NamespacedName]*part{}
	known := texts(render(tracker.Snapshot(), testNode(), memo))
	for b.Loop() {
		tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: "service-27"})
		wanted := render(tracker.Snapshot(), testNode(), memo)
		transaction(known, wanted)
		texts(wanted)
	}
}

func TestMemoChangesNothing(t *testing.T) {
	tracker, memo := packets.World(), map[types.NamespacedName]*part{}
	render(tracker.Snapshot(), testNode(), memo)
	tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: "web"})
	snapshot := tracker.Snapshot()
	if got, want := render(snapshot, testNode(), memo), renderAnew(snapshot); !slices.Equal(got, want) {
		t.Errorf("with memo %v, without %v", got, want)
	}
	if len(memo) != len(snapshot.Services) {
		t.Errorf("%d of %d remembered", len(memo), len(snapshot.Services))
	}
}

// BenchmarkKernel applies 1,000 Services with 10 endpoints each to the kernel,
// all at once and then one change at a time.
func BenchmarkKernel(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		b.Fatal(err)
	}
	defer ns.Close()
	tracker, backend := packets.Many(1000, 10), New(testNode())
	start := time.Now()
	if _, err := backend.Apply(b.Context(), tracker.Snapshot()); err != nil {
		b.Fatal(err)
	}
	first := time.Since(start)
	removed := 0
	for b.Loop() {
		tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: fmt.Sprintf("service-%d", 27+removed)})
		removed++
		if _, err := backend.Apply(b.Context(), tracker.Snapshot()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(first.Milliseconds()), "ms/first")
}
